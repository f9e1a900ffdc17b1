import assert from 'node:assert/strict';
import test from 'node:test';
import type { Problem } from '../../../www/src/api';
import { problemWords } from '../../../www/src/problems';

const problem = (event: string, text: string, now = false): Problem => ({
  level: 'warn',
  event,
  text,
  last: '2026-11-26T10:00:00Z',
  count: 1,
  now,
});
const words = (event: string, text: string, now = false) => problemWords(problem(event, text, now));

test('an event with pairs is what happened and the facts', () => {
  assert.deepEqual(words('origin_fault', 'site=a.example origin=app/a error=connect_refused connect= note=""'), {
    title: 'A request to an origin failed',
    facts: [
      ['site', 'a.example'],
      ['origin', 'app/a'],
      ['error', 'connect refused'],
    ],
  });
  assert.deepEqual(words('history_not_read', 'path="/var/lib/x y" note="damaged; the charts start empty"'), {
    title: 'The history of the charts could not be read: damaged; the charts start empty',
    facts: [['path', '/var/lib/x y']],
  });
  assert.deepEqual(words('some_news', 'by=unix:0 path="cut off').facts, [
    ['by', 'root'],
    ['path', 'cut off'],
  ]);
});

test('a sentence stays one, with who said so in words', () => {
  assert.deepEqual(words('maintenance', 'Site x is in maintenance: disks, by unix:1000', true), {
    title: 'Site x is in maintenance: disks, by user 1000',
    facts: [],
  });
  assert.equal(words('origin_down', 'app/a is down: refused', true).title, 'app/a is down: refused');
});

test('sites without a name of their own', () => {
  const told = (text: string) => words('maintenance', text, true).title;
  assert.equal(told('Site * is in maintenance, by token:ci'), 'Site * (every other name) is in maintenance, by token ci');
  assert.equal(told('Site forward:office is in maintenance, by unix:0'), 'Forward proxy office is in maintenance, by root');
  assert.deepEqual(words('origin_fault', 'site=forward:office').facts, [['site', 'forward proxy office']]);
});

test('what is neither says which event it is', () => {
  assert.equal(
    words('reload_failed', 'larder.conf:3: error: what').title,
    'The last reload failed, the old configuration is in force: larder.conf:3: error: what',
  );
  assert.equal(words('some_news', '').title, 'Some news');
});
