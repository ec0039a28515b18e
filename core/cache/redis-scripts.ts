/**
 * What Redis does in one step. An entry is the text `<version>|<value>`, a mark `<version>!` or, fenced against fills, `<version>#`.
 * Versions are integers from 0 to 2^53 - 1, which Lua's doubles hold exactly; -1 is the mark of something that had none.
 */

const READ = `
local found = redis.call('GET', KEYS[1])
local version, kind
if found then version, kind = string.match(found, '^([^|!#]*)([|!#])') end
`;

/** KEYS[1]; ARGV: version, value, ttl in ms, '1' for a fill. Returns 1 when stored. */
export const WRITE_SCRIPT = `${READ}
if version and (tonumber(version) > tonumber(ARGV[1]) or (kind == '#' and ARGV[4] == '1')) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. ARGV[2], 'PX', ARGV[3])
return 1
`;

/** KEYS[1]; ARGV: version or '', how long the mark stands in ms. Returns 1 when something was marked. */
export const INVALIDATE_SCRIPT = `${READ}
if ARGV[1] == '' then
  redis.call('SET', KEYS[1], (version or '-1') .. '#', 'PX', ARGV[2])
  return 1
end
if version and tonumber(version) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. (kind == '#' and '#' or '!'), 'PX', ARGV[2])
return 1
`;

/** Value and version of a stored text; undefined for a mark, and for what is none of ours. */
export function readEntry(text: string): { value: string; version: number } | undefined {
  const bar = text.indexOf('|');
  if (bar < 1) return undefined;
  const version = Number(text.slice(0, bar));
  return Number.isSafeInteger(version) ? { value: text.slice(bar + 1), version } : undefined;
}
