/** /v1/symbols */
import { symbolResponseSchema, symbolsResponseSchema } from '#shared/market.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import type { Clock } from '#shared/clock.ts';
import { route, type Route } from './answer.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Directory } from './directory.ts';
import { SYMBOL_EXAMPLE } from './examples.ts';
import { cursor, limitParam, search } from './params.ts';
import { RequestError } from './problem.ts';

export const symbolPath = {
  name: 'symbol',
  in: 'path',
  required: true,
  description: 'The instrument, as venue:SYMBOL. A slash in the symbol is written %2F.',
  schema: { type: 'string', maxLength: 129 },
  example: 'asx:BHP',
} as const;

/** The path parameter as venue:SYMBOL; throws `bad_request` when it is none. */
export function readSymbolPath(text: string | undefined): string {
  if (text !== undefined && parseInstrumentId(text) !== undefined) return text;
  throw new RequestError('bad_request', 'The path must end in an instrument like asx:BHP.', [
    { pointer: '/path/symbol', detail: 'must look like venue:SYMBOL' },
  ]);
}

export function symbolRoutes(deps: { directory: Directory; clock: Clock }): Route[] {
  return [
    route({
      path: '/v1/symbols',
      operationId: 'listSymbols',
      summary: 'Instruments',
      description: 'All instruments, sorted by symbol, or those whose symbol or venue holds `q`.',
      tag: 'symbols',
      params: { q: search, limit: limitParam(500, 5_000), cursor },
      schema: symbolsResponseSchema,
      example: { asOfMs: 1394604000000, next: null, symbols: [SYMBOL_EXAMPLE] },
      async answer({ q, limit, cursor }) {
        const query = `symbols?q=${q}`;
        const after = cursor === undefined ? '' : String(decodeCursor(query, cursor, 'string'));
        const needle = q.toLowerCase();
        const found = (await deps.directory.symbols()).filter(
          ({ symbol }) => symbol > after && symbol.toLowerCase().includes(needle),
        );
        const symbols = found.slice(0, limit);
        const last = symbols.at(-1);
        const next = found.length > limit && last !== undefined ? encodeCursor(query, last.symbol) : null;
        return { json: { asOfMs: deps.clock.nowMs(), next, symbols }, next, freshness: 'live' };
      },
    }),
    route({
      path: '/v1/symbols/:symbol',
      operationId: 'getSymbol',
      summary: 'One instrument',
      description: 'What is stored of one instrument, and the decimal places of its prices and sizes.',
      tag: 'symbols',
      params: {},
      pathParams: [symbolPath],
      schema: symbolResponseSchema,
      example: { asOfMs: 1394604000000, ...SYMBOL_EXAMPLE },
      problems: { 404: 'No such instrument' },
      async answer(_, context) {
        const info = await deps.directory.symbol(readSymbolPath(context.req.param('symbol')));
        return { json: { asOfMs: deps.clock.nowMs(), ...info }, freshness: 'live' };
      },
    }),
  ];
}
