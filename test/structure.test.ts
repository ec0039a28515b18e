/** The shape of the code, held by a test: who may import whom, how long a file may be, where time and chance may come in. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { REPO } from './support/data.ts';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx'], {
  cwd: REPO,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.endsWith('.d.ts'));
const sources = files.filter((file) => !file.startsWith('test/') && !/\.test\.tsx?$/.test(file));
const text = new Map(files.map((file) => [file, readFileSync(join(REPO, file), 'utf8')]));

/** `import type` leaves nothing behind and may look both ways; it must still point the allowed way. */
function imports(file: string, types = true): string[] {
  const code = types ? text.get(file) : text.get(file)?.replaceAll(/^import type [^;]*;/gm, '');
  const found = [...(code ?? '').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);
  return found.flatMap((specifier) => {
    if (specifier.startsWith('#shared/')) return [`shared/${specifier.slice('#shared/'.length)}`];
    return specifier.startsWith('.') ? [normalize(join(dirname(file), specifier))] : [];
  });
}

function area(file: string): string {
  if (file.startsWith('edge/client/')) return 'edge/client';
  if (file.startsWith('edge/dashboard/')) return 'edge/dashboard';
  return file.split('/')[0] as string;
}

const MAY_IMPORT: Record<string, string[]> = {
  shared: ['shared'],
  core: ['core', 'shared'],
  edge: ['edge', 'shared'],
  'edge/client': ['edge/client', 'shared'],
  'edge/dashboard': ['edge/dashboard', 'edge/client', 'shared'],
  infra: ['infra'],
};

describe('structure', () => {
  it('every import points the allowed way', () => {
    const wrong = sources.flatMap((file) =>
      imports(file)
        .filter((target) => !MAY_IMPORT[area(file)]?.includes(area(target)))
        .map((target) => `${file} must not import ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('no imports run in a circle', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) {
        circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      if (done.has(file)) return;
      for (const target of imports(file, false)) if (text.has(target)) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('no source file is longer than 400 lines', () => {
    const long = sources
      .map((file) => [file, (text.get(file) ?? '').split('\n').length] as const)
      .filter(([, lines]) => lines > 400);
    expect(long).toEqual([]);
  });

  it('time, chance and the environment come in at the entry and the adapters only', () => {
    const logic = sources.filter((file) => /^(shared|core\/windows|edge\/hub|edge\/room)\//.test(file));
    const ambient = logic.filter((file) =>
      /process\.env|Date\.now\(|new Date\(\)|Math\.random\(/.test(text.get(file) ?? ''),
    );
    expect(ambient).toEqual([]);
    const env = sources.filter(
      (file) => /process\.env/.test(text.get(file) ?? '') && !/^core\/(cli|config|main)/.test(file),
    );
    expect(env.map((file) => relative('.', file))).toEqual([]);
  });
});
