// What the page knows and how it is put: pure functions from the admin server's answers to what is shown.
import { COLUMNS } from './api';
import type {
  AllTotals,
  Cell,
  Column,
  Mode,
  OriginPool,
  OriginServer,
  Origins,
  Point,
  Problem,
  Range,
  Snapshot,
  Stats,
  Status,
  Tick,
  Top,
} from './api';
import * as f from './format';
import type { Health } from './live';

export const RANGES: readonly { key: Range; label: string; long: string; seconds: number }[] = [
  { key: '5m', label: '5 min', long: 'last 5 minutes', seconds: 300 },
  { key: '1h', label: '1 h', long: 'last hour', seconds: 3600 },
  { key: '24h', label: '24 h', long: 'last 24 hours', seconds: 86400 },
  { key: '7d', label: '7 d', long: 'last 7 days', seconds: 604800 },
];

export interface Kind {
  key: Column;
  label: string;
  note: string;
}

// From the bottom of the stack upwards: what the cache did alone comes first.
export const RESULTS: readonly Kind[] = [
  { key: 'hit', label: 'hit', note: 'fresh copy from the cache' },
  { key: 'stale', label: 'stale', note: 'kept copy served while a new one is fetched, or the origin fails' },
  { key: 'revalidated', label: 'revalidated', note: 'origin said not modified; body from the cache' },
  { key: 'miss', label: 'miss', note: 'fetched from the origin, might be stored' },
  { key: 'pass', label: 'pass', note: 'not cacheable, handed through' },
  { key: 'synthetic', label: 'own', note: 'answered by Larder itself' },
  { key: 'denied', label: 'denied', note: 'refused by a rule or a limit' },
  { key: 'error', label: 'error', note: 'no answer from the origin, or a fault of Larder' },
];

export const SOURCES: readonly Kind[] = [
  { key: 'bytes_cache', label: 'from cache', note: 'bytes to clients that the cache held' },
  { key: 'bytes_origin', label: 'from origin', note: 'bytes to clients fetched for them' },
];

export interface Series {
  range: Range;
  step: number; // seconds
  t: number[]; // unix seconds, ascending
  columns: Record<Column, Cell[]>;
}

export interface Model {
  status: Status | null;
  totals: AllTotals | null;
  definitions: Record<string, string>;
  recent: Series | null; // five minutes by the second, grown by each tick
  top: Top | null;
  origins: Origins | null;
  now: number; // unix seconds, by the server's clock
}

export const modelInitial: Model = {
  status: null,
  totals: null,
  definitions: {},
  recent: null,
  top: null,
  origins: null,
  now: 0,
};

const RECENT_POINTS = 300;

export function seriesOf(stats: Stats): Series {
  const columns = {} as Record<Column, Cell[]>;
  for (const name of COLUMNS) {
    const given = Array.isArray(stats[name]) ? stats[name] : [];
    columns[name] = stats.t.map((_, i) => given[i] ?? null);
  }
  return { range: stats.range, step: stats.step_s, t: stats.t.slice(), columns };
}

// A new second. The same second again replaces; missed seconds stay visible as a gap.
export function seriesAppend(series: Series, point: Point): Series {
  const t = series.t.slice();
  const columns = {} as Record<Column, Cell[]>;
  const last = t[t.length - 1];
  if (last !== undefined && point.t < last) {
    return series;
  }
  const gap: number[] = [];
  if (last !== undefined) {
    const from = Math.max(last + series.step, point.t - RECENT_POINTS * series.step);
    for (let s = from; s < point.t; s += series.step) {
      gap.push(s);
    }
  }
  const replace = last === point.t;
  t.push(...gap, ...(replace ? [] : [point.t]));
  const drop = Math.max(0, t.length - RECENT_POINTS);
  for (const name of COLUMNS) {
    const column = series.columns[name].slice(0, replace ? -1 : undefined);
    for (let i = 0; i < gap.length; i++) {
      column.push(null);
    }
    column.push(point[name] ?? null);
    columns[name] = column.slice(drop);
  }
  return { ...series, t: t.slice(drop), columns };
}

export type Action =
  | { type: 'snapshot'; data: Snapshot }
  | { type: 'tick'; data: Tick }
  | { type: 'top'; data: Top }
  | { type: 'origins'; data: Origins };

export function reduce(model: Model, action: Action): Model {
  switch (action.type) {
    case 'snapshot': {
      const { status, stats, top } = action.data;
      return {
        status,
        top,
        origins: action.data.origins ?? model.origins,
        totals: stats.totals,
        definitions: stats.definitions ?? {},
        recent: seriesOf(stats),
        now: stats.t[stats.t.length - 1] ?? Math.floor(Date.now() / 1000),
      };
    }
    case 'tick': {
      const { t, status, point, totals } = action.data;
      const recent = model.recent && seriesAppend(model.recent, { ...point, t: point.t ?? t });
      return { ...model, status, totals, recent, now: t };
    }
    case 'top':
      return { ...model, top: action.data };
    case 'origins':
      return { ...model, origins: action.data };
  }
}

const sum = (cells: Cell[]): number => cells.reduce<number>((a, c) => a + (c ?? 0), 0);

const RARE: readonly Column[] = ['synthetic', 'denied'];

// Kinds that are drawn: own answers and refusals only where there were any.
export function kindsShown(series: Series, kinds: readonly Kind[]): readonly Kind[] {
  return kinds.filter((k) => !RARE.includes(k.key) || sum(series.columns[k.key]) > 0);
}

// Per-second values of each kind, and their running sums from the first kind upwards.
export function stackOf(series: Series, kinds: readonly Kind[]): { rates: Cell[][]; sums: Cell[][] } {
  const rates = kinds.map((k) => series.columns[k.key].map((c) => (c === null ? null : c / series.step)));
  const sums: Cell[][] = [];
  rates.forEach((row, i) => {
    const below = sums[i - 1];
    sums.push(row.map((c, j) => (c === null ? null : c + (below?.[j] ?? 0))));
  });
  return { rates, sums };
}

// Is there not one value?
export function isBlank(series: Series, kinds: readonly Kind[]): boolean {
  return kinds.every((k) => series.columns[k.key].every((c) => c === null));
}

export interface Share {
  kind: Kind;
  total: number;
  perSecond: number | null;
  share: number | null;
}

// Averages count only the time that has data: right after a start that is less than the range.
export function sharesOf(series: Series, kinds: readonly Kind[]): Share[] {
  const totals = kinds.map((k) => sum(series.columns[k.key]));
  const all = totals.reduce((a, n) => a + n, 0);
  const first = kinds[0];
  const known = first === undefined ? 0 : series.columns[first.key].filter((c) => c !== null).length;
  return kinds.map((kind, i) => {
    const total = totals[i] ?? 0;
    return {
      kind,
      total,
      perSecond: known === 0 ? null : total / (known * series.step),
      share: all === 0 ? null : total / all,
    };
  });
}

export function summaryOf(
  series: Series,
  kinds: readonly Kind[],
  what: string,
  asRate: (n: f.Maybe) => f.Quantity,
): string {
  const shares = sharesOf(series, kinds);
  const long = RANGES.find((r) => r.key === series.range)?.long ?? series.range;
  const average = shares[0]?.perSecond === null ? null : shares.reduce((a, s) => a + (s.perSecond ?? 0), 0);
  if (average === null) {
    return `${what}, ${long}: no data yet.`;
  }
  const parts = shares.filter((s) => s.total > 0).map((s) => `${s.kind.label} ${f.text(f.percent(s.share))}`);
  return `${what}, ${long}: ${f.text(asRate(average))} on average${parts.length > 0 ? `; ${parts.join(', ')}` : ''}.`;
}

// At most `rows` lines for the chart's table: neighbours are averaged, gaps stay gaps.
export function thinned(t: number[], columns: Cell[][], rows: number): { t: number[]; columns: Cell[][] } {
  const width = Math.max(1, Math.ceil(t.length / rows));
  const starts = t.map((_, i) => i).filter((i) => i % width === 0);
  const mean = (cells: Cell[]): Cell => {
    const known = cells.filter((c): c is number => c !== null);
    return known.length === 0 ? null : known.reduce((a, c) => a + c, 0) / known.length;
  };
  return {
    t: starts.map((i) => t[i] ?? 0),
    columns: columns.map((column) => starts.map((i) => mean(column.slice(i, i + width)))),
  };
}

export type Instrument =
  | { kind: 'scale'; share: number | null; mark: number | null }
  | { kind: 'spark'; values: Cell[]; least: number; tone: 'cache' | 'origin' | 'error' }; // least: the height is at least this

export interface Tile {
  key: string;
  label: string;
  number: f.Quantity;
  aside: string; // beside the number: a word, or what it is a share of
  tone: 'plain' | 'good' | 'bad';
  rows: [string, string][];
  formula: string;
  instrument: Instrument;
}

const ERRORS_BAD = 0.01;
const RATIO_GOOD = 0.8;
const RATIO_LOW = 0.5;
const RATIO_JUDGED_S = 30; // a cache that has just begun is empty, not bad
const STORE_FULL = 0.97;

function divide(a: f.Maybe, b: f.Maybe): number | null {
  return f.isNumber(a) && f.isNumber(b) && b > 0 ? a / b : null;
}

function perMinute(n: f.Maybe): string {
  return f.isNumber(n) ? `${f.text(f.count(n))}${'\u202f'}/min` : f.NONE;
}

// "402 of 512 MiB", with the unit once where it is the same.
function usedOf(used: f.Maybe, size: f.Maybe): string {
  const a = f.bytes(used);
  const b = f.bytes(size);
  return `${a.unit === b.unit ? a.value : f.text(a)} of ${f.text(b)}`;
}

function storeTile(model: Model): Tile {
  const store = model.status?.store;
  const disk = store !== undefined && store.disk === 'ok' && store.disk_capacity_bytes > 0;
  const used = disk ? store.disk_bytes : store?.memory_bytes;
  const size = disk ? store.disk_capacity_bytes : store?.memory_capacity_bytes;
  const share = divide(used, size);
  const memory = store === undefined ? f.NONE : usedOf(store.memory_bytes, store.memory_capacity_bytes);
  const full = f.isNumber(share) && share >= STORE_FULL && (model.totals?.last_minute.evictions ?? 0) > 0;
  return {
    key: 'store',
    label: 'Store',
    number: f.percent(share),
    aside: store === undefined ? '' : `of ${f.text(f.bytes(size))}${disk ? '' : ' memory'}`,
    tone: store?.disk === 'failed' ? 'bad' : 'plain',
    rows: [
      ['objects', f.text(f.count(disk ? store.disk_objects : store?.memory_objects))],
      store?.disk === 'failed' ? ['disk', 'failed'] : ['memory', memory],
      [full ? 'full, evicted' : 'evicted', perMinute(model.totals?.last_minute.evictions)],
    ],
    formula: model.definitions.store ?? 'bytes on disk / store size',
    instrument: { kind: 'scale', share, mark: null },
  };
}

function errorsTile(model: Model): Tile {
  const minute = model.totals?.last_minute;
  const share = divide(minute?.errors_5xx, minute?.requests);
  const busiest = Math.max(100, ...(model.recent?.columns.requests ?? []).map((c) => c ?? 0));
  return {
    key: 'errors',
    label: 'Errors',
    number: f.percent(share),
    aside: 'last minute',
    tone: f.isNumber(share) && share >= ERRORS_BAD ? 'bad' : 'plain',
    rows: [
      ['responses 5xx', f.text(f.count(minute?.errors_5xx))],
      ['from origin', f.text(f.count(minute?.errors_origin))],
      ['ours', f.text(f.count(minute?.errors_self))],
    ],
    formula: ['responses 5xx / all requests', model.definitions.errors_5xx].filter(Boolean).join('; '),
    // A lone error must not fill the height: it is measured against what would be bad.
    instrument: {
      kind: 'spark',
      values: model.recent?.columns.error ?? [],
      least: busiest * ERRORS_BAD * 2,
      tone: 'error',
    },
  };
}

export function tilesOf(model: Model): Tile[] {
  const minute = model.totals?.last_minute;
  const dayTotals = model.totals?.day;
  const define = (name: string, otherwise: string): string => model.definitions[name] ?? otherwise;
  const ratio = minute?.hit_ratio;
  const isJudged = f.isNumber(ratio) && (minute?.covered_s ?? RATIO_JUDGED_S) >= RATIO_JUDGED_S;
  const low = isJudged && ratio < RATIO_LOW;
  const good = isJudged && ratio >= RATIO_GOOD;
  const columns = model.recent?.columns;
  const fromOrigin = divide(minute?.bytes_origin, minute?.covered_s ?? 60);
  return [
    {
      key: 'ratio',
      label: 'Hit ratio',
      number: f.percent(ratio),
      aside: low ? 'low' : good ? 'good' : '',
      tone: low ? 'bad' : good ? 'good' : 'plain',
      rows: [
        ['24 h', f.text(f.percent(dayTotals?.hit_ratio))],
        ['cacheable', f.text(f.percent(minute?.cacheable_share))],
        ['by bytes', f.text(f.percent(minute?.byte_hit_ratio))],
      ],
      formula: define('hit_ratio', '(hit + stale + revalidated) / (hit + stale + revalidated + miss)'),
      instrument: { kind: 'scale', share: ratio ?? null, mark: dayTotals?.hit_ratio ?? null },
    },
    {
      key: 'requests',
      label: 'Requests',
      number: f.rate(minute?.requests_per_s),
      aside: '',
      tone: 'plain',
      rows: [
        ['peak today', f.text(f.rate(model.totals?.peak_requests_per_s))],
        ['24 h', f.text(f.count(dayTotals?.requests))],
        ['connections', f.text(f.count(model.status?.connections))],
      ],
      formula: define('requests_per_s', 'requests of the last 60 s / 60'),
      instrument: { kind: 'spark', values: columns?.requests ?? [], least: 1, tone: 'cache' },
    },
    {
      key: 'saved',
      label: 'Saved traffic',
      number: f.byteRate(minute?.saved_bytes_per_s),
      aside: '',
      tone: 'plain',
      rows: [
        ['24 h', f.text(f.bytes(dayTotals?.bytes_cache))],
        ['from origin', f.text(f.byteRate(fromOrigin))],
        ['24 h by bytes', f.text(f.percent(dayTotals?.byte_hit_ratio))],
      ],
      formula: define('saved_bytes_per_s', 'bytes to clients from the cache in the last 60 s / 60'),
      instrument: { kind: 'spark', values: columns?.bytes_cache ?? [], least: 1024, tone: 'cache' },
    },
    {
      key: 'origin',
      label: 'Origin first byte',
      number: f.millis(minute?.origin_first_byte_p95_ms),
      aside: 'p95',
      tone: 'plain',
      rows: [
        ['p50', f.text(f.millis(minute?.origin_first_byte_p50_ms))],
        ['24 h p95', f.text(f.millis(dayTotals?.origin_first_byte_p95_ms))],
        ['cache p95', f.text(f.millis(minute?.cache_p95_ms))],
      ],
      formula: define('origin_first_byte_p95_ms', '95 of 100 origin answers of the last 60 s began sooner'),
      instrument: {
        kind: 'spark',
        values: columns?.origin_first_byte_p95_ms ?? [],
        least: 1,
        tone: 'origin',
      },
    },
    errorsTile(model),
    storeTile(model),
  ];
}

const ACTIVE_S = 300;

function ofTheState(status: Status): Problem[] {
  const seen = (word: string): boolean => status.problems.some((p) => p.event.includes(word));
  const made: Problem[] = [];
  const add = (level: 'warn' | 'error', event: string, text: string): void => {
    made.push({ level, event, text, last: '', count: 1 });
  };
  if (status.store.disk === 'failed' && !seen('disk') && !seen('store')) {
    add('error', 'store.disk', 'The disk store has failed; answers come from memory and the origin only.');
  }
  if (!status.config.last_reload_ok && !seen('reload') && !seen('config')) {
    add(
      'error',
      'config.reload',
      `The last reload failed, the old configuration is still in force: ${status.config.last_reload_error}`,
    );
  }
  if (status.state === 'draining') {
    add('warn', 'state.draining', 'Larder is draining: it finishes what it has begun and then ends.');
  }
  if (status.state === 'recovering' || status.store.recovering) {
    add(
      'warn',
      'state.recovering',
      `The store is being read after the start: ${f.text(f.percent(status.store.recovered_share))} done. Larder serves meanwhile.`,
    );
  }
  return made;
}

// That a server left or came back is an event; how it is now is said by a problem of its own.
export function isOfOrigins(problem: Problem): boolean {
  return /^((origin|pool|queue|server)_|maintenance$)/.test(problem.event);
}

// What is wrong now, worst first: the state itself, and events of the last five minutes.
export function problemsNow(status: Status | null, now: number): Problem[] {
  if (status === null) {
    return [];
  }
  const recent = status.problems.filter((p) => {
    const last = f.unixOf(p.last);
    return p.now === true || (last !== null && now - last <= ACTIVE_S && !isOfOrigins(p));
  });
  const all = [...ofTheState(status), ...recent];
  return [...all.filter((p) => p.level === 'error'), ...all.filter((p) => p.level !== 'error')];
}

const LOST_S = 10;

// A silence of some seconds is shown at the numbers; a longer one is a problem, and perhaps the worst of all.
export function silenceOf(health: Health, now: number): Problem[] {
  if (health.kind !== 'stale' || health.seconds < LOST_S) {
    return [];
  }
  const text =
    `No answer from Larder for ${f.duration(health.seconds)}: what is shown is from ${f.clock(now)}. ` +
    'Is it still running? This page asks again by itself.';
  return [{ level: 'error', event: 'connection', text, last: '', count: 1 }];
}

export function severityOf(problems: readonly Problem[]): 'ok' | 'warn' | 'error' {
  return problems.some((p) => p.level === 'error') ? 'error' : problems.length > 0 ? 'warn' : 'ok';
}

// Has anything been asked for at all? If not, the page says how to begin.
export function isQuiet(model: Model): boolean {
  return (
    model.totals !== null &&
    (model.totals.day.requests ?? 0) === 0 &&
    model.recent !== null &&
    sum(model.recent.columns.requests) === 0
  );
}

export interface Urls {
  urls: string[];
  errors: { line: number; why: string }[];
}

const URLS_MOST = 1000;

// One URL a line; doubles count once; a fragment never reaches a server and is dropped.
export function urlsOf(input: string): Urls {
  const urls: string[] = [];
  const errors: Urls['errors'] = [];
  input.split(/\r?\n/).forEach((raw, i) => {
    const line = raw.trim().replace(/#.*$/, '');
    if (line === '') {
      return;
    }
    const why = urlFault(line);
    if (why !== null) {
      errors.push({ line: i + 1, why });
    } else if (!urls.includes(line)) {
      urls.push(line);
    }
  });
  if (urls.length > URLS_MOST) {
    errors.push({ line: URLS_MOST + 1, why: `at most ${f.exact(URLS_MOST)} URLs at once` });
  }
  return { urls, errors };
}

function urlFault(line: string): string | null {
  if (/\s/.test(line)) {
    return 'a URL has no spaces; write one a line';
  }
  if (!/^https?:\/\//i.test(line)) {
    return line.startsWith('/')
      ? `needs the host too, like http://www.example.com${line}`
      : 'begins with http:// or https://';
  }
  try {
    return new URL(line).hostname === '' ? 'has no host' : null;
  } catch {
    return 'is not a URL';
  }
}

export function purgeVerb(mode: Mode, n: number): string {
  return `${mode === 'soft' ? 'Soft-purge' : 'Purge'} ${f.plural(n, 'object')}`;
}

// What a purge came to, in one sentence.
export function purgeSentence(p: { mode: Mode; matched: number; bytes: number; took_s: number }): string {
  const what = f.plural(p.matched, 'object');
  const size = f.text(f.bytes(p.bytes));
  const took = f.text(f.seconds(p.took_s));
  return p.mode === 'soft'
    ? `${what} (${size}) marked stale in ${took}`
    : `${what} removed, ${size} freed in ${took}`;
}

// Who did it, in words: "session:login-code" is the admin server's name for who came by a login link.
export function whoOf(by: string): string {
  if (by === 'session:login-code' || by === 'login-code') {
    return 'login link';
  }
  const [, uid] = /^unix:(\d+)$/.exec(by) ?? []; // by the socket: of the machine, not of a proxy
  if (uid !== undefined) {
    return uid === '0' ? 'root' : `user ${uid}`;
  }
  const [, kind, name] = /^(session|token):(.+)$/.exec(by) ?? [];
  if (name === undefined) {
    return by;
  }
  return kind === 'token' ? `token ${name}` : name;
}

// A site's first name as people would say it; null: as it is.
export function siteWords(name: string): string | null {
  const [, forward] = /^forward:(.+)$/.exec(name) ?? [];
  return name === '*' ? 'every other name' : forward === undefined ? null : `forward proxy ${forward}`;
}

export function mayPurge(scopes: readonly string[]): boolean {
  return scopes.includes('purge') || scopes.includes('admin');
}

export function mayOperate(scopes: readonly string[]): boolean {
  return scopes.includes('admin');
}

const OUT: readonly string[] = ['down', 'ejected'];

// How many things are wrong with the origins: servers that fail, and pools an operator has emptied.
export function originFaults(origins: Origins | null): number {
  const pools = origins?.pools ?? [];
  const failing = (pool: OriginPool): number => pool.servers.filter((s) => OUT.includes(s.state)).length;
  return pools.reduce((sum, pool) => sum + (failing(pool) || (pool.up === 0 ? 1 : 0)), 0);
}

export type Tone = 'good' | 'warn' | 'bad';

export function originTone(server: OriginServer): Tone {
  return server.state === 'up' ? 'good' : OUT.includes(server.state) ? 'bad' : 'warn';
}

// Why it is so, and who said so: "deploy 8812, by token ci".
export function originReason(server: OriginServer): string {
  return [server.reason, server.by === '' ? '' : `by ${whoOf(server.by)}`].filter(Boolean).join(', ');
}

const TONES: readonly Tone[] = ['bad', 'warn', 'good'];

// For the overview: those that are not up first, otherwise in the order of the configuration.
export function originsWorst(origins: Origins | null): { pool: OriginPool; server: OriginServer }[] {
  const all = (origins?.pools ?? []).flatMap((pool) => pool.servers.map((server) => ({ pool, server })));
  return TONES.flatMap((tone) => all.filter(({ server }) => originTone(server) === tone));
}

// Its part of the pool's work among those of its kind: "3 of 4 shares".
export function weightWords(pool: OriginPool, server: OriginServer): string {
  const all = pool.servers.filter((one) => one.backup === server.backup).reduce((sum, one) => sum + one.weight, 0);
  return `${f.exact(server.weight)} of ${f.plural(all, 'share')}`;
}

// Requests over connections that were there already.
export function reuseShare(server: OriginServer): number | null {
  return divide(server.connections_reused, server.connections_reused + server.connections_made);
}
