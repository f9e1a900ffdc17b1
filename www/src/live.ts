// Keeps the page's numbers alive: one EventSource, and rules for when it fails. `step` is a pure
// function from state and event to state and effects; `Live` carries the effects out.
//
// An EventSource gives up for good on a reply that is not 200, so it is made anew with a growing pause.
// After three failures the page asks by polling, while the stream is still tried. Five seconds without an
// event make the numbers stale, fifteen make the stream dead. A hidden tab asks for nothing.

export const STALE_MS = 5_000;
export const DEAD_MS = 15_000;
export const POLL_MS = 2_000;
export const POLL_AFTER_FAILURES = 3;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;

export type Transport = 'idle' | 'stream' | 'polling' | 'paused' | 'ended';

export interface LiveState {
  transport: Transport;
  failures: number; // since the last event of a stream
  lastData: number; // ms; 0: none yet
  begunAt: number; // ms; when this attempt to be live began
  retryAt: number; // ms; 0: a stream is open or being opened
  pollAt: number; // ms
  polling: boolean; // an answer is awaited
}

export type LiveEvent =
  | { type: 'start' }
  | { type: 'message' }
  | { type: 'error'; closed: boolean }
  | { type: 'poll-ok' }
  | { type: 'poll-failed' }
  | { type: 'clock' }
  | { type: 'hidden' }
  | { type: 'visible' }
  | { type: 'unauthorized' }
  | { type: 'stop' };

export type Effect = 'open' | 'close' | 'probe' | 'poll';

export type Health =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'polling' }
  | { kind: 'stale'; seconds: number }
  | { kind: 'offline' }
  | { kind: 'paused' }
  | { kind: 'ended' };

export const liveInitial: LiveState = {
  transport: 'idle',
  failures: 0,
  lastData: 0,
  begunAt: 0,
  retryAt: 0,
  pollAt: 0,
  polling: false,
};

export function retryDelay(failures: number): number {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.max(0, failures - 1));
}

type Step = [LiveState, Effect[]];

function failed(state: LiveState, now: number): Step {
  const failures = state.failures + 1;
  const next = { ...state, failures, retryAt: now + retryDelay(failures) };
  if (failures >= POLL_AFTER_FAILURES && state.transport === 'stream') {
    next.transport = 'polling';
    next.pollAt = now;
  }
  return [next, ['close', 'probe']];
}

function clockStep(state: LiveState, now: number): Step {
  if (state.retryAt > 0 && now >= state.retryAt) {
    return [{ ...state, retryAt: 0, begunAt: Math.max(state.begunAt, now) }, ['open']];
  }
  const quiet = now - Math.max(state.lastData, state.begunAt);
  if (state.transport === 'stream' && state.retryAt === 0 && quiet > DEAD_MS) {
    return failed(state, now);
  }
  if (state.transport === 'polling' && !state.polling && now >= state.pollAt) {
    return [{ ...state, polling: true, pollAt: now + POLL_MS }, ['poll']];
  }
  return [state, []];
}

export function step(state: LiveState, event: LiveEvent, now: number): Step {
  const off = state.transport === 'idle' || state.transport === 'ended';
  const asleep = off || state.transport === 'paused';
  switch (event.type) {
    case 'start':
      return [
        { ...liveInitial, transport: 'stream', begunAt: now, lastData: state.lastData },
        ['close', 'open'],
      ];
    case 'message':
      return asleep
        ? [state, []]
        : [{ ...state, transport: 'stream', failures: 0, retryAt: 0, polling: false, lastData: now }, []];
    case 'error':
      if (asleep || state.retryAt > 0) {
        return [state, []];
      }
      // The browser itself tries again while the source is not closed; from the third time on we do. Why it
      // failed cannot be seen from here, so we ask whether the session still stands.
      if (!event.closed && state.failures + 1 < POLL_AFTER_FAILURES) {
        return [{ ...state, failures: state.failures + 1 }, ['probe']];
      }
      return failed(state, now);
    case 'poll-ok':
      return state.transport === 'polling' ? [{ ...state, polling: false, lastData: now }, []] : [state, []];
    case 'poll-failed':
      return [{ ...state, polling: false }, []];
    case 'clock':
      return asleep ? [state, []] : clockStep(state, now);
    case 'hidden':
      return asleep
        ? [state, []]
        : [{ ...state, transport: 'paused', retryAt: 0, polling: false }, ['close']];
    case 'visible':
      return state.transport === 'paused' ? step(state, { type: 'start' }, now) : [state, []];
    case 'unauthorized':
      return off ? [state, []] : [{ ...state, transport: 'ended', retryAt: 0, polling: false }, ['close']];
    case 'stop':
      return [{ ...liveInitial, lastData: state.lastData }, ['close']];
  }
}

export function health(state: LiveState, now: number): Health {
  switch (state.transport) {
    case 'paused':
    case 'idle':
      return { kind: 'paused' };
    case 'ended':
      return { kind: 'ended' };
    default:
  }
  if (state.lastData < state.begunAt && now - state.begunAt <= STALE_MS && state.failures === 0) {
    return { kind: 'connecting' };
  }
  if (state.lastData === 0) {
    return state.failures > 0 ? { kind: 'offline' } : { kind: 'connecting' };
  }
  const age = now - state.lastData;
  if (age > STALE_MS) {
    return { kind: 'stale', seconds: Math.floor(age / 1000) };
  }
  return { kind: state.transport === 'polling' ? 'polling' : 'live' };
}

// What Live needs of an EventSource; the tests bring their own.
export interface Source {
  readonly readyState: number;
  onerror: ((event: Event) => unknown) | null;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface LiveDeps {
  open(): Source;
  now(): number;
  probe(): Promise<boolean>; // false: the session has ended
  poll(): Promise<boolean>; // delivers data itself; false: the session has ended; throws: no answer
  data(type: string, data: unknown): void;
  health(health: Health): void;
}

export const EVENTS = ['snapshot', 'tick', 'top', 'origins', 'purge'] as const;
const CLOSED = 2;

export class Live {
  private state = liveInitial;
  private source: Source | null = null;

  constructor(private readonly deps: LiveDeps) {}

  send(event: LiveEvent): void {
    const [next, effects] = step(this.state, event, this.deps.now());
    this.state = next;
    for (const effect of effects) {
      this.run(effect);
    }
    this.deps.health(health(this.state, this.deps.now()));
  }

  private run(effect: Effect): void {
    switch (effect) {
      case 'close':
        this.source?.close();
        this.source = null;
        break;
      case 'open':
        this.open();
        break;
      case 'probe':
        this.deps.probe().then(
          (ok) => ok || this.send({ type: 'unauthorized' }),
          () => undefined, // no answer at all: the stream's own rules go on
        );
        break;
      case 'poll':
        this.deps.poll().then(
          (ok) => this.send({ type: ok ? 'poll-ok' : 'unauthorized' }),
          () => this.send({ type: 'poll-failed' }),
        );
        break;
    }
  }

  private open(): void {
    this.source?.close();
    const source = this.deps.open();
    this.source = source;
    source.onerror = () => {
      if (source === this.source) {
        this.send({ type: 'error', closed: source.readyState === CLOSED });
      }
    };
    for (const type of EVENTS) {
      source.addEventListener(type, (event) => {
        if (source !== this.source) {
          return;
        }
        let data: unknown;
        try {
          data = JSON.parse(event.data);
        } catch {
          return; // counts as silence: a broken server goes stale
        }
        this.deps.data(type, data);
        this.send({ type: 'message' });
      });
    }
  }
}
