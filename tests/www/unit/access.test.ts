import assert from 'node:assert/strict';
import test from 'node:test';
import {
  accessChosen,
  accessRate,
  accessShare,
  accessSum,
  ago,
  answerSentence,
  denialsMerge,
  denialTarget,
  ruleRows,
  ruleText,
  testFault,
  tunnelTarget,
} from '../../../www/src/access-model';
import type { Access, AccessAnswer, AccessForward, Denial } from '../../../www/src/api';

const forward = (name: string, over: Partial<AccessForward> = {}): AccessForward =>
  ({
    name,
    requests: 100,
    denied: 10,
    tunnels: 3,
    tunnels_total: 30,
    tunnel_bytes_to_client: 7,
    tunnel_bytes_to_origin: 1,
    rules: [],
    ...over,
  }) as AccessForward;
const denial = (over: Partial<Denial>): Denial => ({ id: 1, scheme: 'http', host: 'h', port: 80, path: '/', ...over }) as Denial;

test('sums are of the chosen proxy, or of all', () => {
  const access = { seen_s: 1, forwards: [forward('a'), forward('b', { requests: 5, tunnels: 0 })] } as Access;
  assert.equal(accessChosen(null, '').length, 0);
  assert.equal(accessSum(accessChosen(access, ''), 1).requests, 105);
  const one = accessSum(accessChosen(access, 'b'), 2);
  assert.deepEqual(one, { at: 2, requests: 5, denied: 10, tunnels: 0, tunnelsTotal: 30, tunnelBytes: 8 });
});

test('rates want two readings of the same daemon', () => {
  const at = (seconds: number, requests: number) => ({ ...accessSum([], seconds), requests });
  assert.equal(accessRate(null, at(1, 5), 'requests'), null);
  assert.equal(accessRate(at(1, 5), at(1, 5), 'requests'), null);
  assert.equal(accessRate(at(1, 500), at(3, 5), 'requests'), null); // it was started anew
  assert.equal(accessRate(at(1, 5), at(3, 11), 'requests'), 3);
  assert.equal(accessShare(at(1, 0)), null);
  assert.equal(accessShare({ ...at(1, 200), denied: 50 }), 0.25);
  assert.equal(accessShare({ ...at(1, 1), denied: 2 }), 1);
});

test('rules of the file always, built in ones when they have decided', () => {
  const rule = (name: string, text: string | null, denied: number) => ({ name, text, at: text === null ? null : 'f:1', allowed: 0, denied });
  const rows = ruleRows([forward('a', { rules: [rule('x', 'deny x all', 0), rule('end', null, 0), rule('private', null, 2)] })]);
  assert.deepEqual(
    rows.map((row) => [row.forward, row.name]),
    [
      ['a', 'x'],
      ['a', 'private'],
    ],
  );
  assert.equal(ruleText(rows[0]!), 'deny x all');
  assert.equal(ruleText(rows[1]!), 'not a public address');
  assert.equal(ruleText(rule('zzz', null, 1)), '');
});

test('a target is written as a URL, a tunnel as an address', () => {
  assert.deepEqual(denialTarget(denial({ path: '/x?y' })), { host: 'http://h', path: '/x?y' });
  assert.deepEqual(denialTarget(denial({ port: 8080 })), { host: 'http://h:8080', path: '/' });
  assert.deepEqual(denialTarget(denial({ scheme: 'https', port: 443 })), { host: 'https://h', path: '/' });
  assert.deepEqual(denialTarget(denial({ scheme: 'https', port: 80 })), { host: 'https://h:80', path: '/' });
  assert.deepEqual(denialTarget(denial({ scheme: 'connect', host: '2001:db8::1', port: 443, path: '' })), {
    host: '[2001:db8::1]:443',
    path: '',
  });
});

test('an address of IPv6 stands in brackets before the port of a tunnel', () => {
  assert.equal(tunnelTarget({ host: '2001:db8::42', port: 443 }), '[2001:db8::42]:443');
  assert.equal(tunnelTarget({ host: 'a.example', port: 8443 }), 'a.example:8443');
});

test('denials: each once, newest first, no more than fit', () => {
  const ids = (list: Denial[]): number[] => list.map((one) => one.id);
  const some = (...list: number[]): Denial[] => list.map((id) => denial({ id }));
  assert.deepEqual(ids(denialsMerge(some(5, 4, 3), some(7, 6, 5), 10)), [7, 6, 5, 4, 3]);
  assert.deepEqual(ids(denialsMerge(some(5, 4, 3), some(7, 6, 5), 4)), [7, 6, 5, 4]);
  assert.deepEqual(ids(denialsMerge([], [], 4)), []);
});

test('answers and faults in words', () => {
  const answer = (over: Partial<AccessAnswer>): AccessAnswer => ({ answer: 'deny', rule: 'ads', ...over }) as AccessAnswer;
  assert.equal(answerSentence(answer({})), 'Denied by “ads”');
  assert.equal(answerSentence(answer({ answer: 'allow', rule: 'rest' })), 'Allowed by “rest”');
  assert.equal(answerSentence(answer({ answer: 'unknown' })), 'It depends on an address that is not known');
  assert.match(testFault(' ', 'http://a/') ?? '', /Who/);
  assert.match(testFault('10.0.0.1', '') ?? '', /What/);
  assert.equal(testFault('10.0.0.1', 'http://a/'), null);
  assert.equal(ago(null, 5), '–');
  assert.equal(ago('1970-01-01T00:01:00Z', 75), '15\u202fs ago');
});
