import assert from 'node:assert/strict';
import test from 'node:test';
import type { OriginPool, Origins, OriginServer, Problem, Status } from '../../../www/src/api';
import {
  isOfOrigins,
  mayOperate,
  modelInitial,
  originFaults,
  originReason,
  originsWorst,
  originTone,
  problemsNow,
  reduce,
  reuseShare,
} from '../../../www/src/model';

const server = (name: string, over: Partial<OriginServer> = {}): OriginServer =>
  ({ name, state: 'up', reason: '', by: '', connections_made: 0, connections_reused: 0, ...over }) as OriginServer;
const pool = (name: string, up: number, servers: OriginServer[]): OriginPool =>
  ({ name, up, servers }) as OriginPool;

test('faults are servers that fail, and pools that were emptied', () => {
  const count = (pools: OriginPool[]): number => originFaults({ pools });
  assert.equal(originFaults(null), 0);
  assert.equal(count([pool('a', 2, [server('1'), server('2')])]), 0);
  assert.equal(count([pool('a', 1, [server('1', { state: 'drain' }), server('2')])]), 0);
  assert.equal(count([pool('a', 0, [server('1', { state: 'drain' })])]), 1);
  assert.equal(
    count([
      pool('a', 0, [server('1', { state: 'down' }), server('2', { state: 'ejected' })]),
      pool('b', 1, [server('1', { state: 'down' }), server('2')]),
    ]),
    3,
  );
});

test('the worst come first, the others as in the file', () => {
  const origins: Origins = {
    pools: [
      pool('a', 2, [server('1'), server('2', { state: 'trial' })]),
      pool('b', 1, [server('1', { state: 'ejected' }), server('2')]),
    ],
  };
  const names = originsWorst(origins).map((o) => `${o.pool.name}/${o.server.name}`);
  assert.deepEqual(names, ['b/1', 'a/2', 'a/1', 'b/2']);
  assert.deepEqual(originsWorst(null), []);
});

test('words', () => {
  assert.equal(originTone(server('x', { state: 'maintenance' })), 'warn');
  assert.equal(originTone(server('x', { state: 'down' })), 'bad');
  assert.equal(originReason(server('x', { reason: 'deploy', by: 'token:ci' })), 'deploy, by token ci');
  assert.equal(originReason(server('x', { by: 'unix:1000' })), 'by user 1000');
  assert.equal(originReason(server('x')), '');
  assert.equal(reuseShare(server('x')), null);
  assert.equal(reuseShare(server('x', { connections_made: 1, connections_reused: 3 })), 0.75);
  assert.ok(mayOperate(['read', 'purge', 'admin']) && !mayOperate(['read', 'purge']));
});

test('a state lasts as long as the server says it, an event of an origin is no problem of now', () => {
  const at = 1_795_000_000;
  const problem = (event: string, over: Partial<Problem> = {}): Problem => ({
    level: 'warn',
    event,
    text: event,
    last: new Date((at - 1) * 1000).toISOString(),
    count: 1,
    ...over,
  });
  const status = {
    state: 'serving',
    store: { disk: 'ok', recovering: false },
    config: { last_reload_ok: true },
    problems: [
      problem('origin_down', { now: true, last: new Date((at - 900) * 1000).toISOString() }),
      problem('origin_down'),
      problem('disk_slow'),
    ],
  } as unknown as Status;
  assert.deepEqual(
    problemsNow(status, at).map((p) => [p.event, p.now === true]),
    [
      ['origin_down', true],
      ['disk_slow', false],
    ],
  );
  assert.ok(isOfOrigins(problem('queue_full')) && !isOfOrigins(problem('disk_origin_slow')));
});

test('origins come with the snapshot and by themselves', () => {
  const data: Origins = { pools: [pool('a', 0, [])] };
  assert.equal(reduce(modelInitial, { type: 'origins', data }).origins, data);
});
