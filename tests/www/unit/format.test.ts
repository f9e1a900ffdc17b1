import assert from 'node:assert/strict';
import test from 'node:test';
import * as f from '../../../www/src/format';

const plain = (s: string): string => s.replaceAll('\u202f', ' ');

function table(name: string, format: (n: never) => f.Quantity, rows: [unknown, string][]): void {
  test(name, () => {
    for (const [given, wanted] of rows) {
      assert.equal(plain(f.text(format(given as never))), wanted, `${name}(${String(given)})`);
    }
  });
}

table('count', f.count, [
  [0, '0'],
  [7, '7'],
  [999, '999'],
  [1000, '1k'],
  [1284, '1.28k'],
  [9_994, '9.99k'],
  [9_996, '10.0k'],
  [12_345, '12.3k'],
  [99_960, '100k'],
  [999_499, '999k'],
  [999_999, '1.00M'],
  [1_250_000, '1.25M'],
  [2.5e9, '2.50G'],
  [0.5, '0.50'],
  [null, '–'],
  [undefined, '–'],
  [NaN, '–'],
  [Infinity, '–'],
]);
table('rate', f.rate, [
  [0, '0/s'],
  [3021, '3.02k/s'],
  [0.2, '0.20/s'],
  [31.46, '31.5/s'],
  [null, '–'],
]);
table('bytes', f.bytes, [
  [0, '0 B'],
  [1, '1 B'],
  [999, '999 B'],
  [1000, '0.98 KiB'],
  [1024, '1 KiB'],
  [1536, '1.50 KiB'],
  [1_048_576, '1 MiB'],
  [123.4 * 1_048_576, '123 MiB'],
  [1023.9 * 1_048_576, '1.00 GiB'],
  [10 * 2 ** 30, '10 GiB'],
  [5 * 2 ** 60, '5120 PiB'],
  [null, '–'],
]);
table('byteRate', f.byteRate, [
  [2048, '2 KiB/s'],
  [null, '–'],
]);
table('percent', f.percent, [
  [0, '0 %'],
  [1, '100 %'],
  [0.915, '91.5 %'],
  [0.00001, '<0.01 %'],
  [0.0002, '0.02 %'],
  [0.99999, '99.99 %'],
  [0.9995, '99.95 %'],
  [0.025, '2.5 %'],
  [null, '–'],
  [NaN, '–'],
]);
table('millis', f.millis, [
  [0, '0 ms'],
  [0.0003, '<0.01 ms'],
  [0.36, '0.36 ms'],
  [118.4, '118 ms'],
  [999.6, '1.00 s'],
  [4200, '4.20 s'],
  [null, '–'],
]);
table('seconds', f.seconds, [
  [0.0021, '2.10 ms'],
  [1.5, '1.50 s'],
]);

test('no figure ever shows more than three digits of a scaled number', () => {
  for (let e = 0; e < 14; e += 0.01) {
    const { value } = f.count(10 ** e + 0.5);
    assert.ok(value.replace('.', '').length <= 3, `${10 ** e}: ${value}`);
  }
});

test('an axis has one unit and as many decimals for all its labels', () => {
  const labels = (values: number[], isBytes = false): string => plain(f.axisRates(values, isBytes).join(', '));
  assert.equal(labels([0, 2.5, 5, 7.5, 10]), '0, 2.5/s, 5.0/s, 7.5/s, 10.0/s');
  assert.equal(labels([0, 5, 10]), '0, 5/s, 10/s');
  assert.equal(labels([0, 500, 1000, 1500]), '0, 0.5k/s, 1.0k/s, 1.5k/s');
  assert.equal(labels([0, 0.25, 0.5]), '0, 0.25/s, 0.50/s');
  assert.equal(labels([0, 256 * 1024, 512 * 1024], true), '0, 256 KiB/s, 512 KiB/s');
  assert.equal(labels([0, 2 ** 19, 2 ** 20], true), '0, 0.5 MiB/s, 1.0 MiB/s');
  assert.equal(labels([0]), '0');
});

test('exact groups every three digits', () => {
  assert.equal(plain(f.exact(1284)), '1 284');
  assert.equal(plain(f.exact(12)), '12');
  assert.equal(plain(f.exact(1234567.891)), '1 234 567.89');
  assert.equal(f.exact(null), '–');
});

test('plural', () => {
  assert.equal(f.plural(1, 'object'), '1 object');
  assert.equal(plain(f.plural(1284, 'object')), '1 284 objects');
  assert.equal(f.plural(2, 'fetch', 'fetches'), '2 fetches');
});

test('duration keeps the two largest units', () => {
  const rows: [number | null, string][] = [
    [0, '0 s'],
    [8, '8 s'],
    [60, '1 min'],
    [725, '12 min 5 s'],
    [3600, '1 h'],
    [273_912, '3 d 4 h'],
    [-4, '0 s'],
    [null, '–'],
  ];
  for (const [given, wanted] of rows) {
    assert.equal(plain(f.duration(given)), wanted);
  }
});

test('times are local, with 24 hours; broken ones are no time', () => {
  const t = new Date(2026, 10, 23, 17, 4, 9).getTime() / 1000;
  assert.equal(f.clock(t), '17:04:09');
  assert.equal(f.clock(t, false), '17:04');
  assert.equal(f.day(t), '23 Nov');
  const iso = new Date(t * 1000).toISOString();
  assert.equal(f.when(iso, t + 60), '17:04:09');
  assert.equal(f.when(iso, t + 3 * 86400), '23 Nov, 17:04');
  assert.equal(f.when('yesterday', t), '–');
  assert.equal(f.utc('2026-11-23T06:40:12.031Z'), '2026-11-23 06:40:12 UTC');
  assert.equal(f.utc(''), '');
});
