import assert from 'node:assert/strict';
import test from 'node:test';
import { COLUMNS } from '../../../www/src/api';
import type { Problem, Stats, Status, Totals } from '../../../www/src/api';
import * as f from '../../../www/src/format';
import {
  isBlank,
  isQuiet,
  mayPurge,
  modelInitial,
  problemsNow,
  purgeSentence,
  purgeVerb,
  reduce,
  RESULTS,
  seriesAppend,
  seriesOf,
  severityOf,
  sharesOf,
  silenceOf,
  SOURCES,
  kindsShown,
  stackOf,
  summaryOf,
  thinned,
  tilesOf,
  urlsOf,
  whoOf,
} from '../../../www/src/model';
import type { Model, Series } from '../../../www/src/model';

const plain = (s: string): string => s.replaceAll('\u202f', ' ');
const NOW = 1_795_000_000;

function stats(t: number[], over: Partial<Stats> = {}, step = 1): Stats {
  const columns = Object.fromEntries(COLUMNS.map((c) => [c, t.map(() => 0)]));
  const none: Totals = {};
  return {
    range: '5m',
    step_s: step,
    t,
    ...columns,
    totals: { last_minute: none, day: none, peak_requests_per_s: null },
    definitions: {},
    ...over,
  } as Stats;
}

function status(over: Partial<Status> = {}): Status {
  return {
    version: '1',
    host: 'h',
    pid: 1,
    uptime_s: 1,
    state: 'serving',
    workers: 1,
    connections: 5,
    site_names: [],
    problems: [],
    store: {
      disk_bytes: 61,
      disk_capacity_bytes: 100,
      disk_objects: 7,
      memory_bytes: 402 * 2 ** 20,
      memory_capacity_bytes: 512 * 2 ** 20,
      memory_objects: 3,
      index_bytes: 1,
      recovering: false,
      recovered_share: 1,
      disk: 'ok',
    },
    config: { file: 'f', loaded_at: '', last_reload_ok: true, last_reload_error: '' },
    ...over,
  };
}

const model = (over: Partial<Model> = {}): Model => ({ ...modelInitial, ...over });
const tile = (m: Model, key: string) => tilesOf(m).find((t) => t.key === key);

test('a series keeps its columns as long as its times, whatever is missing', () => {
  const s = seriesOf(stats([1, 2, 3], { hit: [5], miss: undefined as never }));
  assert.deepEqual(s.columns.hit, [5, null, null]);
  assert.deepEqual(s.columns.miss, [null, null, null]);
});

test('a new second is added, the same again replaces, an older one is dropped', () => {
  let s = seriesOf(stats([10, 11]));
  s = seriesAppend(s, { t: 12, hit: 4 });
  assert.deepEqual(
    [s.t, s.columns.hit],
    [
      [10, 11, 12],
      [0, 0, 4],
    ],
  );
  s = seriesAppend(s, { t: 12, hit: 9 });
  assert.deepEqual(
    [s.t, s.columns.hit],
    [
      [10, 11, 12],
      [0, 0, 9],
    ],
  );
  assert.equal(seriesAppend(s, { t: 5, hit: 1 }), s);
});

test('missed seconds are a gap, and five minutes are kept', () => {
  let s = seriesAppend(seriesOf(stats([10, 11])), { t: 14, hit: 4 });
  assert.deepEqual(
    [s.t, s.columns.hit],
    [
      [10, 11, 12, 13, 14],
      [0, 0, null, null, 4],
    ],
  );
  s = seriesAppend(s, { t: 100_000, hit: 1 });
  assert.equal(s.t.length, 300);
  for (const c of COLUMNS) {
    assert.equal(s.columns[c].length, 300, c);
  }
  assert.equal(s.t.at(-1), 100_000);
  assert.equal(s.columns.hit.filter((c) => c !== null).length, 1);
});

test('a stack is per second, summed upwards, with gaps kept', () => {
  const s = seriesOf(
    stats(
      [0, 10],
      {
        hit: [100, null],
        stale: [10, null],
        revalidated: [0, null],
        miss: [20, null],
        pass: [5, null],
        error: [1, null],
      },
      10,
    ),
  );
  const { rates, sums } = stackOf(s, kindsShown(s, RESULTS));
  assert.deepEqual(
    rates.map((r) => r[0]),
    [10, 1, 0, 2, 0.5, 0.1],
  );
  assert.deepEqual(
    sums.map((r) => Math.round((r[0] ?? 0) * 10) / 10),
    [10, 11, 11, 13, 13.5, 13.6],
  );
  assert.ok(sums.every((r) => r[1] === null));
});

test('a series is blank when there is not one value', () => {
  const blank = Object.fromEntries(RESULTS.map((k) => [k.key, [null, null]]));
  assert.ok(isBlank(seriesOf(stats([NOW - 1, NOW], blank)), RESULTS));
  assert.ok(!isBlank(seriesOf(stats([NOW - 1, NOW], { ...blank, miss: [null, 0] })), RESULTS));
});

test('own answers are drawn only where there are any', () => {
  const keys = (s: Series): string[] => kindsShown(s, RESULTS).map((k) => k.key);
  assert.ok(!keys(seriesOf(stats([1]))).includes('synthetic'));
  assert.ok(keys(seriesOf(stats([1], { synthetic: [1] }))).includes('synthetic'));
  assert.deepEqual(keys(seriesOf(stats([1], { denied: [1] }))), [
    'hit',
    'stale',
    'revalidated',
    'miss',
    'pass',
    'denied',
    'error',
  ]);
});

test('averages count only the time that has data', () => {
  const s = seriesOf(
    stats([1, 2, 3, 4], { bytes_cache: [null, null, 300, 300], bytes_origin: [null, null, 100, 100] }),
  );
  assert.deepEqual(
    sharesOf(s, SOURCES).map((x) => [x.perSecond, x.share]),
    [
      [300, 0.75],
      [100, 0.25],
    ],
  );
});

test('the summary says the average and the parts, or that there is nothing', () => {
  const s = seriesOf(stats([1, 2], { hit: [90, 90], miss: [10, 10] }));
  assert.equal(
    plain(summaryOf(s, RESULTS, 'Requests', f.rate)),
    'Requests, last 5 minutes: 100/s on average; hit 90.0 %, miss 10.0 %.',
  );
  const none = seriesOf(stats([1], { hit: [null] }));
  assert.equal(summaryOf(none, RESULTS, 'Requests', f.rate), 'Requests, last 5 minutes: no data yet.');
});

test('the table averages neighbours and keeps gaps', () => {
  assert.deepEqual(thinned([1, 2, 3, 4, 5], [[1, 3, null, null, 7]], 3), {
    t: [1, 3, 5],
    columns: [[2, null, 7]],
  });
  assert.deepEqual(thinned([], [[]], 3), { t: [], columns: [[]] });
});

test('no data is a dash on every tile, never 0 %', () => {
  for (const t of tilesOf(modelInitial)) {
    assert.equal(t.number.value, '–', t.key);
    for (const [name, value] of t.rows) {
      assert.ok(value.startsWith('–'), `${t.key} ${name}: ${value}`);
    }
  }
});

test('tiles say what the server said', () => {
  const minute: Totals = {
    requests: 6000,
    hit_ratio: 0.915,
    cacheable_share: 0.9,
    byte_hit_ratio: 0.8,
    requests_per_s: 100,
    saved_bytes_per_s: 2 ** 20,
    bytes_origin: 30 * 1024,
    covered_s: 30,
    origin_first_byte_p95_ms: 118.4,
    origin_first_byte_p50_ms: 40,
    cache_p95_ms: 0.4,
    errors_5xx: 3,
    errors_origin: 2,
    errors_self: 1,
    evictions: 12,
  };
  const m = model({
    status: status(),
    totals: { last_minute: minute, day: { hit_ratio: 0.8, bytes_cache: 2 ** 40 }, peak_requests_per_s: 3000 },
    definitions: { hit_ratio: 'the formula' },
  });
  const shown = Object.fromEntries(
    tilesOf(m).map((t) => [
      t.key,
      plain(`${t.number.value} ${t.number.unit} | ${t.aside} | ${t.rows.map((r) => r.join(' ')).join(', ')}`),
    ]),
  );
  assert.deepEqual(shown, {
    ratio: '91.5 % | good | 24 h 80.0 %, cacheable 90.0 %, by bytes 80.0 %',
    requests: '100 /s |  | peak today 3k/s, 24 h –, connections 5',
    saved: '1 MiB/s |  | 24 h 1 TiB, from origin 1 KiB/s, 24 h by bytes –',
    origin: '118 ms | p95 | p50 40 ms, 24 h p95 –, cache p95 0.40 ms',
    errors: '0.05 % | last minute | responses 5xx 3, from origin 2, ours 1',
    store: '61.0 % | of 100 B | objects 7, memory 402 of 512 MiB, evicted 12 /min',
  });
  assert.equal(tile(m, 'ratio')?.formula, 'the formula');
});

test('a bad state has a word or a place, not only a colour', () => {
  const low = tile(
    model({ totals: { last_minute: { hit_ratio: 0.2 }, day: {}, peak_requests_per_s: null } }),
    'ratio',
  );
  assert.deepEqual([low?.aside, low?.tone], ['low', 'bad']);
  const failed = tile(model({ status: status({ store: { ...status().store, disk: 'failed' } }) }), 'store');
  assert.deepEqual(failed?.rows[1], ['disk', 'failed']);
});

test('a cache that has just begun is not judged', () => {
  const tone = (covered_s: number, hit_ratio: number): string | undefined =>
    tile(
      model({ totals: { last_minute: { hit_ratio, covered_s }, day: {}, peak_requests_per_s: null } }),
      'ratio',
    )?.tone;
  assert.deepEqual([tone(3, 0.2), tone(3, 0.9), tone(30, 0.2), tone(60, 0.9)], ['plain', 'plain', 'bad', 'good']);
});

test('without a disk the store is the memory tier', () => {
  const off = tile(
    model({
      status: status({
        store: { ...status().store, disk: 'off', memory_bytes: 50, memory_capacity_bytes: 100 },
      }),
    }),
    'store',
  );
  assert.equal(off?.number.value, '50.0');
  assert.equal(plain(off?.aside ?? ''), 'of 100 B memory');
});

const at = (s: number): string => new Date((NOW - s) * 1000).toISOString();
const problem = (level: Problem['level'], event: string, ago: number): Problem => ({
  level,
  event,
  text: event,
  last: at(ago),
  count: 1,
});

test('problems of the last five minutes, worst first', () => {
  const s = status({
    problems: [problem('warn', 'a', 10), problem('error', 'b', 20), problem('error', 'old', 400)],
  });
  const now = problemsNow(s, NOW);
  assert.deepEqual(
    now.map((p) => p.event),
    ['b', 'a'],
  );
  assert.equal(severityOf(now), 'error');
  assert.equal(severityOf(now.slice(1)), 'warn');
  assert.equal(severityOf([]), 'ok');
});

test('a long silence is a problem', () => {
  assert.deepEqual(silenceOf({ kind: 'live' }, NOW), []);
  assert.deepEqual(silenceOf({ kind: 'stale', seconds: 7 }, NOW), []);
  const [lost] = silenceOf({ kind: 'stale', seconds: 24 }, NOW);
  assert.equal(lost?.level, 'error');
  assert.match(plain(lost?.text ?? ''), /^No answer from Larder for 24 s: what is shown is from \d\d:\d\d:\d\d\./);
});

test('a bad state is a problem by itself, but is not told twice', () => {
  const config = { file: 'f', loaded_at: '', last_reload_ok: false, last_reload_error: 'x:1:2' };
  assert.match(problemsNow(status({ config }), NOW)[0]?.text ?? '', /x:1:2/);
  assert.equal(
    problemsNow(status({ config, problems: [problem('error', 'config.reload', 10)] }), NOW).length,
    1,
  );
  assert.equal(problemsNow(status({ state: 'draining' }), NOW).length, 1);
  assert.equal(problemsNow(status({ store: { ...status().store, disk: 'failed' } }), NOW)[0]?.level, 'error');
  assert.deepEqual(problemsNow(null, NOW), []);
});

test('snapshot, tick and top', () => {
  let m = reduce(modelInitial, {
    type: 'snapshot',
    data: {
      status: status(),
      stats: stats([NOW - 1, NOW]),
      top: { window_s: 60, by: 'requests', error_bound: 0, items: [] },
    },
  });
  assert.equal(m.now, NOW);
  m = reduce(m, {
    type: 'tick',
    data: {
      t: NOW + 1,
      status: status({ connections: 9 }),
      point: { t: NOW + 1, hit: 3 },
      totals: { last_minute: {}, day: {}, peak_requests_per_s: 1 },
    },
  });
  assert.deepEqual([m.recent?.columns.hit.at(-1), m.status?.connections, m.now], [3, 9, NOW + 1]);
  const point = { hit: 4 } as never;
  m = reduce(m, {
    type: 'tick',
    data: {
      t: NOW + 2,
      status: status(),
      point,
      totals: { last_minute: {}, day: {}, peak_requests_per_s: 1 },
    },
  });
  assert.equal(m.recent?.t.at(-1), NOW + 2, 'a point without its own time takes that of the tick');
});

test('quiet only when nothing has ever come', () => {
  assert.equal(isQuiet(modelInitial), false);
  const recent = seriesOf(stats([1]));
  assert.equal(
    isQuiet(model({ recent, totals: { last_minute: {}, day: { requests: 0 }, peak_requests_per_s: 0 } })),
    true,
  );
  assert.equal(
    isQuiet(model({ recent, totals: { last_minute: {}, day: { requests: 4 }, peak_requests_per_s: 0 } })),
    false,
  );
});

test('URLs, one a line', () => {
  assert.deepEqual(urlsOf(' http://a/x \n\nhttp://a/x\r\nhttps://b/?q=1#part\n'), {
    urls: ['http://a/x', 'https://b/?q=1'],
    errors: [],
  });
  const faults: [string, RegExp][] = [
    ['/x', /host too/],
    ['a.example/x', /begins with/],
    ['ftp://a/', /begins with/],
    ['http://', /is not a URL|no host/],
    ['http://a/x http://a/y', /no spaces/],
    ['javascript:alert(1)', /begins with/],
    ['http://a:99999/', /is not a URL/],
  ];
  for (const [line, why] of faults) {
    const found = urlsOf(`http://ok/\n${line}`);
    assert.deepEqual(found.urls, ['http://ok/'], line);
    assert.equal(found.errors[0]?.line, 2, line);
    assert.match(found.errors[0]?.why ?? '', why, line);
  }
  assert.equal(urlsOf(Array.from({ length: 1001 }, (_, i) => `http://a/${i}`).join('\n')).errors.length, 1);
});

test('what a purge will do and did', () => {
  assert.equal(plain(purgeVerb('soft', 1284)), 'Soft-purge 1 284 objects');
  assert.equal(purgeVerb('hard', 1), 'Purge 1 object');
  assert.equal(
    plain(purgeSentence({ mode: 'hard', matched: 3, bytes: 2048, took_s: 0.0021 })),
    '3 objects removed, 2 KiB freed in 2.10 ms',
  );
  assert.equal(
    plain(purgeSentence({ mode: 'soft', matched: 1, bytes: 100, took_s: 0.5 })),
    '1 object (100 B) marked stale in 500 ms',
  );
});

test('who did it, in words', () => {
  assert.equal(whoOf('session:login-code'), 'login link');
  assert.equal(whoOf('login-code'), 'login link');
  assert.equal(whoOf('session:ops'), 'ops');
  assert.equal(whoOf('token:ci'), 'token ci');
  assert.equal(whoOf('unix:1000'), 'user 1000');
  assert.equal(whoOf('unix:0'), 'root');
  assert.equal(whoOf('192.0.2.1'), '192.0.2.1');
});

test('who may purge', () => {
  assert.equal(mayPurge(['read']), false);
  assert.equal(mayPurge(['read', 'purge']), true);
  assert.equal(mayPurge(['admin']), true);
  assert.equal(mayPurge([]), false);
});
