/** A change to what is on the wire must be a new version (SPEC PV-2). */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { toJsonSchema } from '@valibot/to-json-schema';
import { expect, it } from 'vitest';
import { CHANNELS, channelSpec } from '#shared/protocol/channels.ts';
import { downSchema } from '#shared/protocol/down.ts';
import { frameLinkSchema, helloLinkSchema, interestLinkSchema, LINK_VERSION } from '#shared/protocol/relay.ts';
import { upSchema } from '#shared/protocol/up.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/version.ts';

/** Version → hash of the schemas, the channels' fields and the packed layout as codec.ts describes it. */
const PROTOCOLS: Record<number, string> = { 1: 'ccdec1f4ad3dfb1b' };
const LINKS: Record<number, string> = { 1: '969d9e218919338c' };

function hash(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Layout lines of a module's head comment. */
function layout(file: string): string[] {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  return text
    .slice(0, text.indexOf('*/'))
    .split('\n')
    .filter((line) => line.startsWith(' *   '))
    .map((line) => line.replace(/\s+/g, ' '));
}

const options = { errorMode: 'ignore', typeMode: 'input' } as const;

it('PV-2 the client protocol is that of its version', () => {
  const fields = CHANNELS.map((channel) => [channel, channelSpec(channel)]);
  const now = hash(toJsonSchema(upSchema, options), toJsonSchema(downSchema, options), fields, layout('codec.ts'));
  expect(now, 'the wire changed: raise PROTOCOL_VERSION, say so in version.ts, and put its hash here').toBe(
    PROTOCOLS[PROTOCOL_VERSION],
  );
});

it('PV-2 the links between core and edge are those of their version', () => {
  const now = hash(
    [helloLinkSchema, frameLinkSchema, interestLinkSchema].map((schema) => toJsonSchema(schema, options)),
    layout('relay.ts'),
  );
  expect(now, 'the links changed: raise LINK_VERSION and put its hash here').toBe(LINKS[LINK_VERSION]);
});
