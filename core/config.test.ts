import { describe, expect, it } from 'vitest';
import { OPTIONS, optionsTable, resolveConfig, unknownEnvironment, type Config, type OptionKey } from './config.ts';
import { ConfigError } from './option-kinds.ts';

const from = (flags: Partial<Record<OptionKey, string | string[]>>, env: Record<string, string> = {}): Config =>
  resolveConfig({ flags, env });

function fault(flags: Partial<Record<OptionKey, string | string[]>>, env: Record<string, string> = {}): string {
  try {
    from(flags, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  return 'accepted';
}

describe('configuration', () => {
  it('every declared default can be read', () => {
    const config = from({});
    expect(config).toMatchObject({
      dataDir: '.edgetape/data',
      port: 8787,
      speed: 1,
      tape: [],
      feed: [],
      edge: 'embedded',
      partitions: 4,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('a flag goes before the environment, the environment before the default', () => {
    expect(from({}, { EDGETAPE_PORT: '9000' }).port).toBe(9_000);
    expect(from({ port: '9001' }, { EDGETAPE_PORT: '9000' }).port).toBe(9_001);
    expect(from({}, { EDGETAPE_PORT: '' }).port).toBe(8_787);
    expect(resolveConfig({ flags: {}, env: {}, defaults: { speed: 'max' } }).speed).toBe('max');
  });

  it('reads lists from flags and from the environment', () => {
    expect(from({ tape: ['a.csv', 'b.csv'] }).tape).toEqual(['a.csv', 'b.csv']);
    expect(from({}, { EDGETAPE_TAPE: 'a.csv,b.csv' }).tape).toEqual(['a.csv', 'b.csv']);
    expect(from({}, { EDGETAPE_FEED: 'binance:btcusdt,ethusdt;binance_usdm:btcusdt' }).feed).toEqual([
      { venue: 'binance', symbols: ['btcusdt', 'ethusdt'] },
      { venue: 'binance_usdm', symbols: ['btcusdt'] },
    ]);
  });

  it.each([
    [{ port: '70000' }, '--port must be a whole number from 0 to 65535, not "70000".'],
    [{ port: '1e3' }, '--port must be a whole number from 0 to 65535, not "1e3".'],
    [
      { speed: '0' },
      '--speed must be "max" or a number above 0, such as 1 for recorded speed or 20 for twenty times that, not "0".',
    ],
    [
      { speed: 'fast' },
      '--speed must be "max" or a number above 0, such as 1 for recorded speed or 20 for twenty times that, not "fast".',
    ],
    [{ edge: 'cloud' }, '--edge must be one of embedded, none, not "cloud".'],
    [
      { feed: ['kraken:btcusd'] },
      '--feed knows the venues binance, binance_spot, binance_usdm, binance_coinm, not "kraken".',
    ],
    [{ feed: ['binance'] }, '--feed must look like binance:btcusdt,ethusdt, not "binance".'],
    [{ dataDir: '' }, '--data-dir must name a folder.'],
    [
      { clickhouseUrl: 'localhost' },
      '--clickhouse-url must be an address like http://127.0.0.1:8123, not "localhost".',
    ],
  ] as const)('says what to do about %j', (flags, sentence) => {
    expect(fault(flags as Partial<Record<OptionKey, string | string[]>>)).toBe(sentence);
  });

  it('names the environment where the bad value came from there', () => {
    expect(fault({}, { EDGETAPE_PARTITIONS: '0' })).toBe(
      'EDGETAPE_PARTITIONS must be a whole number from 1 to 1000, not "0".',
    );
  });

  it('the table has every option, once', () => {
    const table = optionsTable();
    for (const spec of Object.values(OPTIONS)) {
      expect(table.split(`\`${spec.env}\``)).toHaveLength(2);
      expect(spec.env).toBe(`EDGETAPE_${spec.flag.replaceAll('-', '_').toUpperCase()}`);
    }
  });

  it('finds misspelt names in the environment', () => {
    expect(unknownEnvironment({ EDGETAPE_PROT: '1', EDGETAPE_PORT: '1', PATH: '' })).toEqual(['EDGETAPE_PROT']);
  });
});
