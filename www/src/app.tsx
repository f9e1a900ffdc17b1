// The page: session, live data, shell, and which part of it is shown.
import { render } from 'preact';
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { AccessPage } from './access';
import { Api, sessionLikely } from './api';
import type { Origins, Purge, Session, Snapshot, Tick, Top } from './api';
import { Live } from './live';
import type { Health } from './live';
import { codeTake, loginFault, LoginPage, SessionEnded } from './login';
import { mayOperate, mayPurge, modelInitial, originFaults, problemsNow, reduce, severityOf, silenceOf } from './model';
import type { Model } from './model';
import { OriginsPage } from './origins';
import { Overview } from './overview';
import { PurgeDialog, PurgePage } from './purge';
import type { PurgeOrder } from './purge';
import { Shell } from './shell';
import './styles.css';
import { themeKeep, themeRead } from './theme';
import type { Theme } from './theme';

const PAGES = { overview: 'Overview', origins: 'Origins', access: 'Access', purge: 'Purge' } as const;
type Page = keyof typeof PAGES;

function pageOf(hash: string): Page {
  const name = hash.slice(2);
  return hash.startsWith('#/') && name in PAGES ? (name as Page) : 'overview';
}

function usePage(): Page {
  const [page, setPage] = useState(pageOf(location.hash));
  useEffect(() => {
    const follow = (): void => setPage(pageOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return page;
}

// The theme in force, for what is drawn and not styled: changes with the choice and the system.
function useTheme(): { theme: Theme; drawn: string; choose: (theme: Theme) => void } {
  const [theme, setTheme] = useState(themeRead);
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const [systemDark, setSystemDark] = useState(query.matches);
  useEffect(() => {
    const follow = (): void => setSystemDark(query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, [query]);
  const choose = (next: Theme): void => {
    themeKeep(next);
    setTheme(next);
  };
  return { theme, drawn: theme === 'auto' ? (systemDark ? 'dark' : 'light') : theme, choose };
}

interface LiveData {
  model: Model;
  health: Health;
  purges: number;
  refresh: () => void; // of the origins, after they were changed here
}

function useLive(api: Api, session: Session, onEnded: () => void): LiveData {
  const [model, dispatch] = useReducer(reduce, modelInitial);
  const [health, setHealth] = useState<Health>({ kind: 'connecting' });
  const [purges, setPurges] = useState(0);
  useEffect(() => {
    const live: Live = new Live({
      open: () => api.events(),
      now: () => performance.now() + 1,
      // Who signs out ends the stream too, and then there is nothing to ask.
      probe: () =>
        sessionLikely()
          ? api.whoami().then(
              () => true,
              (e: { status?: number }) => e.status !== 401,
            )
          : Promise.resolve(false),
      poll: async () => {
        const [status, stats, top, origins] = await Promise.all([
          api.status(),
          api.stats('5m'),
          api.top('requests'),
          api.origins(),
        ]);
        dispatch({ type: 'snapshot', data: { status, stats, top, origins } });
        return true;
      },
      data: (type, data) => {
        if (type === 'snapshot') {
          dispatch({ type, data: data as Snapshot });
          setPurges((n) => n + 1); // one may have happened while we did not listen
        } else if (type === 'tick') {
          dispatch({ type, data: data as Tick });
        } else if (type === 'top') {
          dispatch({ type, data: data as Top });
        } else if (type === 'origins') {
          dispatch({ type, data: data as Origins });
        } else {
          setPurges((n) => n + 1);
        }
      },
      health: (next) => {
        setHealth((was) => (JSON.stringify(was) === JSON.stringify(next) ? was : next));
        if (next.kind === 'ended') {
          onEnded();
        }
      },
    });
    api.onUnauthorized = () => live.send({ type: 'unauthorized' });
    live.send({ type: 'start' });
    const follow = (): void => live.send({ type: document.hidden ? 'hidden' : 'visible' });
    const clock = setInterval(() => live.send({ type: 'clock' }), 1000);
    document.addEventListener('visibilitychange', follow);
    follow();
    return () => {
      clearInterval(clock);
      document.removeEventListener('visibilitychange', follow);
      live.send({ type: 'stop' });
    };
  }, [api, session]);
  const refresh = (): void => {
    api.origins().then(
      (data) => dispatch({ type: 'origins', data }),
      () => undefined, // the stream brings them
    );
  };
  return { model, health, purges, refresh };
}

const ICONS = { ok: 'icon.svg', warn: 'icon-warn.svg', error: 'icon-error.svg' } as const;
const SIGNS = { ok: '', warn: '▲ ', error: '● ' } as const;

function useTitle(page: Page, host: string, severity: keyof typeof ICONS): void {
  useEffect(() => {
    document.title = `${SIGNS[severity]}${PAGES[page]} · ${host === '' ? '' : `${host} · `}Larder`;
    document.getElementById('icon')?.setAttribute('href', ICONS[severity]);
  }, [page, host, severity]);
}

interface InsideProps {
  api: Api;
  session: Session;
  theme: ReturnType<typeof useTheme>;
  onSession: (session: Session) => void;
  onSignOut: () => void;
}

function Inside({ api, session, theme, onSession, onSignOut }: InsideProps) {
  const [ended, setEnded] = useState(false);
  const data = useLive(api, session, () => setEnded(true));
  const wanted = usePage();
  const [order, setOrder] = useState<PurgeOrder | null>(null);
  const [fresh, setFresh] = useState('');
  const [serial, setSerial] = useState(0);
  const { status, now } = data.model;
  const problems = [...silenceOf(data.health, now), ...problemsNow(status, now)];
  const severity = severityOf(problems);
  // Without a forward proxy there is no such page; while that is not known yet, nothing is shown of it.
  const forwards = status?.forwards ?? null;
  const page = wanted === 'access' && forwards !== null && forwards.length === 0 ? 'overview' : wanted;
  const canPurge = mayPurge(session.scopes);
  const active = !ended && data.health.kind !== 'paused';
  useTitle(page, status?.host ?? '', severity);

  const done = (purge: Purge): void => {
    setFresh(purge.id);
    setSerial((n) => n + 1);
  };
  const store = status?.store;
  return (
    <Shell
      page={page}
      session={session}
      status={status}
      health={data.health}
      problems={problems}
      originFaults={originFaults(data.model.origins)}
      theme={theme.theme}
      onTheme={theme.choose}
      onSignOut={onSignOut}
    >
      {page === 'purge' ? (
        <PurgePage
          api={api}
          canPurge={canPurge}
          hosts={status?.site_names ?? []}
          serial={data.purges + serial}
          fresh={fresh}
          onOrder={setOrder}
        />
      ) : page === 'origins' ? (
        <OriginsPage
          api={api}
          origins={data.model.origins}
          now={now}
          active={active}
          canOperate={mayOperate(session.scopes)}
          onChange={data.refresh}
        />
      ) : page === 'access' ? (
        <AccessPage api={api} forwards={forwards ?? []} now={now} active={active} />
      ) : (
        <Overview
          api={api}
          model={data.model}
          drawn={theme.drawn}
          active={active}
          canPurge={canPurge}
          onPurge={(url) => setOrder({ urls: [url], mode: 'soft', reason: '', askMode: true })}
        />
      )}
      {order !== null && (
        <PurgeDialog
          api={api}
          order={order}
          storeBytes={store === undefined ? null : Math.max(store.disk_bytes, store.memory_bytes)}
          onClose={() => setOrder(null)}
          onDone={done}
        />
      )}
      {ended && (
        <SessionEnded
          api={api}
          onSession={(next) => {
            setEnded(false);
            onSession(next);
          }}
        />
      )}
    </Shell>
  );
}

function App() {
  const api = useMemo(() => new Api(), []);
  const theme = useTheme();
  const [session, setSession] = useState<Session | null | 'loading'>('loading');
  const [fault, setFault] = useState('');
  const begun = useRef(false);

  const enter = (code: string | null): void => {
    setSession('loading');
    // A link that is no good any more ends nobody's session: who is signed in goes on.
    const orStay = (error: unknown): Promise<Session> => api.whoami().catch(() => Promise.reject(error));
    (code === null ? api.whoami() : api.login({ code }).catch(orStay)).then(
      (found) => {
        setFault('');
        setSession(found);
      },
      (error: { status?: number }) => {
        setFault(code !== null || error.status !== 401 ? loginFault(error, code !== null) : '');
        setSession(null);
      },
    );
  };
  useEffect(() => {
    if (begun.current) {
      return undefined;
    }
    begun.current = true;
    const code = codeTake();
    if (code !== null || sessionLikely()) {
      enter(code);
    } else {
      setSession(null);
    }
    // A link opened in a tab that shows the page already changes only the fragment.
    const follow = (): void => {
      const code = codeTake();
      if (code !== null) {
        enter(code);
      }
    };
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);

  const signOut = (): void => {
    const leave = (): void => setSession(null);
    setFault('');
    api.logout().then(leave, leave);
  };

  if (session === 'loading') {
    return (
      <main class="login" aria-busy="true">
        <p class="hidden">Loading</p>
      </main>
    );
  }
  if (session === null) {
    document.title = 'Sign in · Larder';
    return <LoginPage key={fault} api={api} fault={fault} onSession={setSession} />;
  }
  return <Inside api={api} session={session} theme={theme} onSession={setSession} onSignOut={signOut} />;
}

const root = document.getElementById('app');
if (root !== null) {
  render(<App />, root);
}
