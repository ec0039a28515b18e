/** Parameters of the REST API, each declared once: its reading, and its place in the OpenAPI document. */
import { LIMITS } from '#shared/limits.ts';
import { TIMEFRAMES, isTimeframe, type Timeframe } from '#shared/timeframes.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import { RequestError, type Fault } from './problem.ts';
import { TIME_FORMS, parseTimeMs } from './time-text.ts';

/** A parameter as it stands in the OpenAPI document. */
export interface ParameterDoc {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly example?: unknown;
}

/** One parameter. `read` gives the value, or what is wrong with the text. */
export interface Param<T> {
  read(text: string | undefined): { value: T } | { fault: string };
  describe: { description: string; required?: boolean; schema: Readonly<Record<string, unknown>>; example?: unknown };
}

const SYMBOL_FAULT = 'must look like venue:SYMBOL, for example asx:BHP';

function symbolParam<T>(
  required: boolean,
  description: string,
  absent: { value: T } | { fault: string },
): Param<string | T> {
  return {
    read: (text) =>
      text === undefined ? absent : parseInstrumentId(text) === undefined ? { fault: SYMBOL_FAULT } : { value: text },
    describe: {
      description,
      ...(required ? { required } : {}),
      schema: { type: 'string', maxLength: 129 },
      example: 'asx:BHP',
    },
  };
}

function timeParam(description: string): Param<number | undefined> {
  return {
    read(text) {
      if (text === undefined) return { value: undefined };
      const ms = parseTimeMs(text);
      return ms === undefined ? { fault: `must be ${TIME_FORMS}, between 1970 and 2100` } : { value: ms };
    },
    describe: {
      description: `${description} ${capital(TIME_FORMS)}.`,
      schema: { type: 'string', maxLength: 40 },
      example: '2014-03-10T00:00:00Z',
    },
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Page size: from 1 to `max`, `fallback` when left out. */
export function limitParam(fallback: number, max: number): Param<number> {
  return {
    read(text) {
      if (text === undefined) return { value: fallback };
      const value = Number(text);
      return /^\d{1,9}$/.test(text) && value >= 1 && value <= max
        ? { value }
        : { fault: `must be a whole number from 1 to ${max}` };
    },
    describe: {
      description: 'Most rows of one answer.',
      schema: { type: 'integer', minimum: 1, maximum: max, default: fallback },
      example: Math.min(100, max),
    },
  };
}

export const symbolRequired = symbolParam<never>(true, 'The instrument, as venue:SYMBOL.', {
  fault: `is missing; it ${SYMBOL_FAULT}`,
});
export const symbolOptional = symbolParam<undefined>(false, 'The instrument, as venue:SYMBOL; all when left out.', {
  value: undefined,
});
export const from = timeParam('Start of the range, inside.');
export const to = timeParam('End of the range, outside.');

export const timeframe: Param<Timeframe> = {
  read: (text = '1m') => (isTimeframe(text) ? { value: text } : { fault: `must be one of ${TIMEFRAMES.join(', ')}` }),
  describe: {
    description: 'Length of the bars.',
    schema: { type: 'string', enum: [...TIMEFRAMES], default: '1m' },
    example: '1m',
  },
};

export const order: Param<'asc' | 'desc'> = {
  read: (text = 'asc') => (text === 'asc' || text === 'desc' ? { value: text } : { fault: 'must be asc or desc' }),
  describe: {
    description: 'Oldest first (asc) or newest first (desc).',
    schema: { type: 'string', enum: ['asc', 'desc'], default: 'asc' },
    example: 'desc',
  },
};

export const cursor: Param<string | undefined> = {
  read: (text) => ({ value: text }),
  describe: {
    description: 'Continues a list: the `next` of the answer before.',
    schema: { type: 'string', maxLength: 512 },
  },
};

export const search: Param<string> = {
  read: (text = '') =>
    text.length <= LIMITS.nameChars ? { value: text } : { fault: `must have at most ${LIMITS.nameChars} characters` },
  describe: {
    description: 'Part of the symbol or venue, any case.',
    schema: { type: 'string', maxLength: LIMITS.nameChars },
    example: 'bhp',
  },
};

export const withAction: Param<boolean> = {
  read: (text = 'false') =>
    text === 'true' || text === 'false' ? { value: text === 'true' } : { fault: 'must be true or false' },
  describe: {
    description: 'CSV only: adds the column `action` (trade, cancel, correction) to the columns of the tape.',
    schema: { type: 'boolean', default: false },
  },
};

export type Params = Readonly<Record<string, Param<unknown>>>;
export type Values<P extends Params> = { [K in keyof P]: P[K] extends Param<infer T> ? T : never };

const RANGE_PARAMS = new Set(['from', 'to']);

/** Reads a query string. Throws `bad_range` when only times are wrong, else `bad_request`, naming every fault. */
export function readQuery<P extends Params>(params: P, query: URLSearchParams): Values<P> {
  const faults: Fault[] = [];
  const values: Record<string, unknown> = {};
  for (const name of new Set(query.keys())) {
    if (!Object.hasOwn(params, name))
      faults.push(fault(name, `is not a parameter here; known are ${Object.keys(params).join(', ') || 'none'}`));
    else if (query.getAll(name).length > 1) faults.push(fault(name, 'may be given once'));
  }
  for (const [name, param] of Object.entries(params)) {
    const result = param.read(query.get(name) ?? undefined);
    if ('fault' in result) faults.push(fault(name, result.fault));
    else values[name] = result.value;
  }
  if (
    faults.length === 0 &&
    typeof values['from'] === 'number' &&
    typeof values['to'] === 'number' &&
    values['from'] >= values['to']
  )
    faults.push(fault('to', 'must be later than from'));
  if (faults.length > 0) {
    const code = faults.every(({ pointer }) => RANGE_PARAMS.has(pointer.slice('/query/'.length)))
      ? 'bad_range'
      : 'bad_request';
    throw new RequestError(
      code,
      faults.map(({ pointer, detail }) => `${pointer.slice('/query/'.length)} ${detail}`).join('; '),
      faults,
    );
  }
  return values as Values<P>;
}

function fault(name: string, detail: string): Fault {
  return { pointer: `/query/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, detail };
}

/** Parameters for an OpenAPI operation. */
export function describeParams(params: Params): ParameterDoc[] {
  return Object.entries(params).map(([name, { describe }]) => ({ name, in: 'query', ...describe }));
}
