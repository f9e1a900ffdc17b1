import assert from 'node:assert/strict';
import test from 'node:test';
import {
  DEAD_MS,
  health,
  Live,
  liveInitial,
  POLL_MS,
  retryDelay,
  STALE_MS,
  step,
} from '../../../www/src/live';
import type { Effect, Health, LiveDeps, LiveEvent, LiveState, Source } from '../../../www/src/live';

const start = (): LiveState => step(liveInitial, { type: 'start' }, 1000)[0];
const live = (now = 2000): LiveState => step(start(), { type: 'message' }, now)[0];

function run(state: LiveState, events: [number, LiveEvent][]): { state: LiveState; effects: Effect[] } {
  const effects: Effect[] = [];
  for (const [now, event] of events) {
    const [next, made] = step(state, event, now);
    state = next;
    effects.push(...made);
  }
  return { state, effects };
}

test('the pause between attempts doubles from 1 to 30 seconds', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 50].map(retryDelay),
    [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000],
  );
});

test('start opens a stream, the first event makes it live', () => {
  const [state, effects] = step(liveInitial, { type: 'start' }, 1000);
  assert.deepEqual(effects, ['close', 'open']);
  assert.equal(health(state, 1000).kind, 'connecting');
  assert.equal(health(live(), 2500).kind, 'live');
});

test('a closed source is made anew after the pause, not before', () => {
  const { state, effects } = run(live(), [
    [3000, { type: 'error', closed: true }],
    [3500, { type: 'clock' }],
  ]);
  assert.deepEqual(effects, ['close', 'probe']);
  assert.deepEqual(step(state, { type: 'clock' }, 4000)[1], ['open']);
  const opened = step(state, { type: 'clock' }, 4000)[0];
  assert.deepEqual(step(opened, { type: 'clock' }, 4500)[1], [], 'opened once only');
});

test('while the browser tries by itself it is left alone, but the session is looked at', () => {
  const { state, effects } = run(live(), [
    [3000, { type: 'error', closed: false }],
    [4500, { type: 'clock' }],
  ]);
  assert.deepEqual(effects, ['probe']);
  assert.equal(state.retryAt, 0);
});

test('three failures of any kind begin polling; the stream is still tried', () => {
  let { state } = run(live(), [
    [3000, { type: 'error', closed: false }],
    [6000, { type: 'error', closed: false }],
    [9000, { type: 'error', closed: false }],
  ]);
  assert.equal(state.transport, 'polling');
  let effects: Effect[];
  [state, effects] = step(state, { type: 'clock' }, 9000);
  assert.deepEqual(effects, ['poll']);
  assert.deepEqual(step(state, { type: 'clock' }, 9000 + POLL_MS)[1], [], 'one question at a time');
  [state] = step(state, { type: 'poll-ok' }, 9100);
  assert.equal(health(state, 9200).kind, 'polling');
  assert.deepEqual(step(state, { type: 'clock' }, 9000 + POLL_MS)[1], ['poll']);
  [state, effects] = step(state, { type: 'clock' }, 13_000);
  assert.deepEqual(effects, ['open']);
  [state] = step(state, { type: 'message' }, 13_500);
  assert.equal(health(state, 13_600).kind, 'live');
  assert.equal(state.failures, 0);
});

test('five quiet seconds are stale and say how long, a new event heals', () => {
  const state = live(2000);
  assert.equal(health(state, 2000 + STALE_MS).kind, 'live');
  assert.deepEqual(health(state, 2000 + 7000), { kind: 'stale', seconds: 7 });
  assert.equal(health(step(state, { type: 'message' }, 9500)[0], 9600).kind, 'live');
});

test('fifteen quiet seconds end a stream that nobody closed', () => {
  const state = live(2000);
  assert.deepEqual(step(state, { type: 'clock' }, 2000 + DEAD_MS)[1], []);
  const [next, effects] = step(state, { type: 'clock' }, 2001 + DEAD_MS);
  assert.deepEqual(effects, ['close', 'probe']);
  assert.ok(next.retryAt > 0);
});

test('stale numbers stay stale through failing attempts', () => {
  let state = live(2000);
  for (const now of [3000, 5000, 8000, 13_000, 22_000]) {
    [state] = step(state, { type: 'error', closed: true }, now);
    [state] = step({ ...state, retryAt: now }, { type: 'clock' }, now);
    if (now > 7000) {
      assert.equal(health(state, now + 100).kind, 'stale', String(now));
    }
  }
});

test('no answer from the beginning is offline, not connecting for ever', () => {
  const [state] = step(start(), { type: 'error', closed: true }, 1100);
  assert.equal(health(state, 1200).kind, 'offline');
});

test('a hidden tab asks nothing; shown again it begins anew', () => {
  const { state, effects } = run(live(), [
    [3000, { type: 'hidden' }],
    [60_000, { type: 'clock' }],
    [60_500, { type: 'error', closed: true }],
  ]);
  assert.deepEqual(effects, ['close']);
  assert.equal(health(state, 60_000).kind, 'paused');
  const [shown, again] = step(state, { type: 'visible' }, 61_000);
  assert.deepEqual(again, ['close', 'open']);
  assert.equal(health(shown, 61_100).kind, 'connecting', 'old numbers are not called stale at once');
  assert.equal(health(shown, 67_000).kind, 'stale');
});

test('visible without hidden does nothing', () => {
  const state = live();
  assert.deepEqual(step(state, { type: 'visible' }, 3000), [state, []]);
});

test('the end of the session stops everything until a new start', () => {
  const { state, effects } = run(live(), [
    [3000, { type: 'unauthorized' }],
    [3100, { type: 'message' }],
    [9000, { type: 'clock' }],
    [9100, { type: 'poll-ok' }],
    [9200, { type: 'hidden' }],
    [9300, { type: 'visible' }],
  ]);
  assert.deepEqual(effects, ['close']);
  assert.equal(health(state, 10_000).kind, 'ended');
  assert.deepEqual(step(state, { type: 'start' }, 11_000)[1], ['close', 'open']);
});

test('a late answer to a poll does not undo a stream that came back', () => {
  const state = live(2000);
  assert.equal(step(state, { type: 'poll-ok' }, 9000)[0].lastData, 2000);
});

class FakeSource implements Source {
  static made: FakeSource[] = [];
  readyState = 0;
  onerror: ((event: Event) => unknown) | null = null;
  closed = false;
  private readonly listeners = new Map<string, (event: MessageEvent<string>) => void>();

  constructor() {
    FakeSource.made.push(this);
  }

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.listeners.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  emit(type: string, data: string): void {
    this.listeners.get(type)?.({ data } as MessageEvent<string>);
  }

  fail(closed: boolean): void {
    this.readyState = closed ? 2 : 0;
    this.onerror?.({} as Event);
  }
}

function fake(over: Partial<LiveDeps> = {}) {
  FakeSource.made = [];
  const seen = { now: 1000, data: [] as string[], health: [] as Health['kind'][], probes: 0, polls: 0 };
  const machine = new Live({
    open: () => new FakeSource(),
    now: () => seen.now,
    probe: () => {
      seen.probes++;
      return Promise.resolve(true);
    },
    poll: () => {
      seen.polls++;
      return Promise.resolve(true);
    },
    data: (type, data) => seen.data.push(`${type}:${JSON.stringify(data)}`),
    health: (h) => seen.health.push(h.kind),
    ...over,
  });
  const at = (now: number, event: LiveEvent): void => {
    seen.now = now;
    machine.send(event);
  };
  return { seen, machine, at };
}

test('Live hands events on and ignores sources it has left', () => {
  const { seen, at } = fake();
  at(1000, { type: 'start' });
  const first = FakeSource.made[0];
  first?.emit('snapshot', '{"a":1}');
  first?.emit('tick', 'not json');
  assert.deepEqual(seen.data, ['snapshot:{"a":1}']);
  first?.fail(true);
  assert.equal(first?.closed, true);
  assert.equal(seen.probes, 1);
  at(3000, { type: 'clock' });
  assert.equal(FakeSource.made.length, 2);
  first?.emit('tick', '{}');
  first?.fail(true);
  assert.equal(seen.data.length, 1);
  assert.equal(seen.probes, 1);
});

test('Live ends when the probe finds no session', async () => {
  const { seen, at } = fake({ probe: () => Promise.resolve(false) });
  at(1000, { type: 'start' });
  FakeSource.made[0]?.fail(true);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(seen.health.at(-1), 'ended');
});

test('Live polls after three failures, and a failing poll goes stale but on', async () => {
  let fails = true;
  const { seen, at } = fake({
    poll: () => {
      seen.polls++;
      return fails ? Promise.reject(new Error('x')) : Promise.resolve(true);
    },
  });
  at(1000, { type: 'start' });
  FakeSource.made[0]?.emit('tick', '{}');
  for (const now of [2000, 4000, 8000]) {
    FakeSource.made.at(-1)?.fail(true);
    at(now, { type: 'clock' });
  }
  at(8500, { type: 'clock' });
  assert.equal(seen.polls, 1);
  await new Promise((done) => setImmediate(done));
  fails = false;
  at(11_000, { type: 'clock' });
  assert.equal(seen.health.at(-1), 'stale');
  await new Promise((done) => setImmediate(done));
  assert.equal(seen.health.at(-1), 'polling');
});
