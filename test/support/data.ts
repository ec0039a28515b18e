/** Where the recorded tapes are, if they are: they have licences of their own and are not part of the project. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const REPO = fileURLToPath(new URL('../..', import.meta.url));
const DATA = fileURLToPath(new URL('../../../shared/data', import.meta.url));

export function dataFile(name: string): string {
  return `${DATA}/${name}`;
}

export const hasData = existsSync(dataFile('README.md'));
if (!hasData) console.log('skipped: the recorded tapes of ../shared/data are not there');

export const TAPES = {
  asxTrades: dataFile('asx/trades_20140310_12.csv.gz'),
  asxQuotes: dataFile('asx/quotes_20140310_12.csv.gz'),
  cryptoTrades: dataFile('crypto/trades_20240808.csv.gz'),
  cryptoQuotes: dataFile('crypto/quotes_20240808.csv.gz'),
  fxQuotes: dataFile('fx/quotes_fxcm_20140508_09.csv.gz'),
  cryptoRaw: [
    'binance_coinm_btcusd_perp',
    'binance_coinm_ethusd_perp',
    'binance_spot_btcusdt',
    'binance_spot_ethusdt',
    'binance_usdm_btcusdt',
    'binance_usdm_ethusdt',
  ].map((name) => dataFile(`crypto/raw/${name}_20240808.jsonl.gz`)),
} as const;
