import { expect, it } from 'vitest';
import { rolesOf } from './run-command.ts';

it('reads roles in any order, and refuses what is none', () => {
  expect([...rolesOf('sink, query')]).toEqual(['sink', 'query']);
  expect([...rolesOf('relay,relay')]).toEqual(['relay']);
  for (const given of ['', 'window', 'sink,,query']) expect(() => rolesOf(given)).toThrow('There is no role');
});
