/** The frame: who is signed in, where one is, and the page that belongs there. */
import { useState } from 'hono/jsx/dom';
import { type Session, SluiceError } from '../client/admin.ts';
import { api, explain, whenSignedOut } from './api.ts';
import { useEffect } from './effect.ts';
import { Frame } from './frame.tsx';
import { Dead, DeadOfQueue } from './pages/dead.tsx';
import { Destinations } from './pages/destinations.tsx';
import { HealthPage } from './pages/health.tsx';
import { MessagePage } from './pages/message.tsx';
import { Overview } from './pages/overview.tsx';
import { QueuePage } from './pages/queue.tsx';
import { Queues } from './pages/queues.tsx';
import { RingPage, Rings } from './pages/rings.tsx';
import { Schedules } from './pages/schedules.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { Sources } from './pages/sources.tsx';
import { Work } from './pages/work.tsx';
import { Confirmations } from './parts/confirm.tsx';
import { act, Notices } from './parts/notice.tsx';
import { rangeOf } from './parts/range.tsx';
import { Empty, Loading } from './parts/states.tsx';
import { parseRoute, type Route } from './route.ts';

type Who = Session | 'asking' | 'nobody' | SluiceError;

export function App() {
  const [who, setWho] = useState<Who>('asking');
  const route = useRoute();
  const ask = async () => {
    try {
      setWho(await api.session.get());
    } catch (error) {
      setWho(error instanceof SluiceError && error.status !== 401 ? error : 'nobody');
    }
  };
  useEffect(() => {
    whenSignedOut(() => setWho('nobody'));
    void ask();
  }, []);
  if (who === 'asking') return <Loading />;
  if (who === 'nobody') return <SignIn onSignedIn={setWho} />;
  if (who instanceof SluiceError) return <Empty title="The deployment does not let anybody in">{explain(who)}</Empty>;
  const signOut = async () => {
    const ended = await act(async () => {
      await api.session.end();
      return 'Signed out';
    });
    if (ended) setWho('nobody');
  };
  return (
    <>
      <Frame here={route.parts[0] ?? ''} who={who.name} onSignOut={signOut}>
        <Page {...route} />
      </Frame>
      <Confirmations />
      <Notices />
    </>
  );
}

function Page({ parts: [page = '', name = ''], query }: Route) {
  if (page === '') return <Overview range={rangeOf(query.range)} />;
  if (page === 'queues') return name ? <QueuePage key={name} queue={name} query={query} /> : <Queues />;
  if (page === 'messages') return <MessagePage key={name} id={name} />;
  if (page === 'dead') return name ? <DeadOfQueue key={name} queue={name} by={query.by} /> : <Dead />;
  if (page === 'schedules') return <Schedules />;
  if (page === 'rings') return name ? <RingPage key={name} ring={name} /> : <Rings />;
  if (page === 'sources') return <Sources />;
  if (page === 'destinations') return <Destinations />;
  if (page === 'work') return <Work />;
  if (page === 'health') return <HealthPage />;
  return <Empty title="There is no such page">{`Nothing is at “${page}”.`}</Empty>;
}

function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const moved = () => {
      setHash(location.hash);
      scrollTo(0, 0);
    };
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return parseRoute(hash);
}
