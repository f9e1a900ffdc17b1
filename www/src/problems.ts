// A problem as the server's log has it, in words: a sentence as it is, an event with its "key=value" pairs
// as what happened and the facts.
import type { Problem } from './api';
import { siteWords, whoOf } from './model';

export interface ProblemWords {
  title: string;
  facts: [string, string][];
}

const EVENTS: Record<string, string> = {
  access_log_failed: 'The access log cannot be written',
  access_log_open: 'The access log cannot be opened',
  access_log_reopen_failed: 'The access log cannot be opened again',
  acl_regex_gave_up: 'A pattern took too long for a URL',
  admin_crowded: 'Too many connections to the admin port',
  admin_login_failed: 'A login to the dashboard failed',
  admin_peer_refused: 'Somebody was refused at the admin socket',
  admin_token_wrong: 'A wrong token was sent to the admin port',
  check_skipped: 'A health check was left out',
  connection_limit: 'The limit of connections is reached',
  descriptor_limit: 'The system allows too few open files',
  descriptors_exhausted: 'No file descriptor is left',
  error_log_open: 'The error log cannot be opened',
  error_log_reopen_failed: 'The error log cannot be opened again',
  history_not_read: 'The history of the charts could not be read',
  history_not_saved: 'The history of the charts cannot be saved',
  origin_dns: 'The name of an origin cannot be looked up',
  origin_fault: 'A request to an origin failed',
  origin_out: 'A server was taken out of its pool',
  outgoing_refused: 'An outgoing address cannot be used',
  parent_refuses_login: 'A parent proxy does not accept who we say we are',
  parents_bypassed: 'No parent proxy could be asked: requests go direct',
  password_unusable: 'A password in the file of users cannot be used',
  proxy_protocol: 'A connection began without its PROXY header',
  purge_log_not_read: 'The history of purges could not be read',
  purge_log_not_written: 'The history of purges cannot be written',
  quota_file: 'The accounts of quotas cannot be kept',
  quota_file_damaged: 'The file of quota accounts was damaged',
  reload_failed: 'The last reload failed, the old configuration is in force',
  reload_needs_restart: 'Some changed settings need a restart',
  resolver: 'Names of origins are not looked up',
  socket_refused: 'A connection could not be taken',
  store_disk_failed: 'The disk store has failed',
  store_failed: 'The disk store has failed',
  store_open: 'The disk store cannot be opened',
  store_quarantine: 'A damaged part of the store was set aside',
  store_read: 'A stored response could not be read',
  store_write: 'A response could not be stored',
  token_ignored: 'A line of the token file is ignored',
  tokens_not_read: 'The token file cannot be read',
};

const PAIR = /^([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"?|(\S*))(?:\s+|$)/;
const CODES = ['error', 'status', 'state', 'fault', 'kind', 'result'];

const siteOf = (name: string): string => (name === '*' ? `* (${siteWords(name)})` : (siteWords(name) ?? name));

// All of it, or null: it is no list of pairs.
function pairsOf(text: string): [string, string][] | null {
  const pairs: [string, string][] = [];
  for (let rest = text; rest !== ''; ) {
    const found = PAIR.exec(rest);
    if (found === null) {
      return null;
    }
    const [all, key = '', quoted, bare = ''] = found;
    const value = quoted ?? (CODES.includes(key) ? bare.replace(/_/g, ' ') : bare);
    pairs.push([key.replace(/_/g, ' '), key === 'by' ? whoOf(value) : key === 'site' ? siteOf(value) : value]);
    rest = rest.slice(all.length);
  }
  return pairs.length > 0 ? pairs : null;
}

function eventWords(event: string): string {
  const words = event.replace(/[._]/g, ' ');
  return EVENTS[event] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

export function problemWords(problem: Problem): ProblemWords {
  const facts = pairsOf(problem.text);
  if (facts !== null) {
    const note = facts.find(([key, value]) => key === 'note' && value !== '');
    const others = facts.filter(([key, value]) => key !== 'note' && value !== '');
    return { title: eventWords(problem.event) + (note === undefined ? '' : `: ${note[1]}`), facts: others };
  }
  const text = problem.text
    .replace(/\bby ((?:unix|token|session):\S+)$/, (_, who: string) => `by ${whoOf(who)}`)
    .replace(/^Site forward:(\S+)/, 'Forward proxy $1')
    .replace(/^Site \* /, `Site ${siteOf('*')} `);
  const isSentence = problem.now === true || /^[A-Z]/.test(text);
  if (text === '' || !isSentence) {
    return { title: eventWords(problem.event) + (text === '' ? '' : `: ${text}`), facts: [] };
  }
  return { title: text, facts: [] };
}
