// An open-model stream of requests through every tier: each begins when it is due, whatever the answers before it
// take, and time spent waiting for a connection counts (no coordinated omission). In the environment: PLAN, the plan's
// path; TARGET, base URL of the web tier; TRACE, 16 hexadecimal digits that the run's trace ids start with; COLUMNS,
// the columns of a sample. Logs one line `started,<unix seconds>`, and one line of CSV for each request.
import exec from 'k6/execution';
import http from 'k6/http';
import { sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import { dueTimes } from './arrivals.js';
import { KINDS, choices, expectedStatus } from './choices.js';

const plan = JSON.parse(open(__ENV.PLAN));
const target = __ENV.TARGET;
const trace = __ENV.TRACE;
const columns = __ENV.COLUMNS.split(',');

const repeats = plan.run === '';
const TIMEOUT = 10000; // ms
const HEAD_START = 200; // ms between the setup and the first request, for the connections' programs to be there
const GRACE = 1000; // ms after a run's end in which requests still begin
// A plan that repeats has no end: without this, a tier that stood still for an hour would be asked for all of it.
const LATEST = 60000; // ms
const EARLY = 1; // ms
const FOR_EVER = '87600h';

export const options = {
  discardResponseBodies: true,
  // No tag may have a value of its own for each request: k6 would keep a series for each.
  systemTags: ['status', 'name', 'scenario'],
  scenarios: {
    stream: {
      executor: 'shared-iterations',
      vus: repeats ? plan.concurrency : Math.min(plan.concurrency, plan.arrivals),
      iterations: repeats ? Number.MAX_SAFE_INTEGER : plan.arrivals,
      maxDuration: repeats ? FOR_EVER : `${HEAD_START + plan.seconds * 1000 + GRACE}ms`,
      gracefulStop: `${TIMEOUT + 1000}ms`,
    },
  },
};

const totalTime = new Trend('total_time', true);
const waitTime = new Trend('wait_time', true);
const clientTime = new Trend('client_time', true);
const applicationTime = new Trend('application_time', true);
const databaseTime = new Trend('database_time', true);
const unexpected = new Rate('unexpected_answers');

const due = dueTimes(plan);
const choose = choices(plan);
const callbacks = Object.fromEntries(KINDS.map((kind) => [kind, http.expectedStatuses(expectedStatus(kind))]));
const last = repeats ? Infinity : plan.seconds * 1000 + GRACE;

// Milliseconds by part in a Server-Timing header.
const TIMING = /([a-z]+);dur=([0-9.]+)/g;
function serverTiming(header) {
  const parts = {};
  for (const [, part, duration] of (header || '').matchAll(TIMING)) parts[part] = Number(duration);
  return parts;
}

const text = (milliseconds) => (milliseconds === undefined ? '' : milliseconds.toFixed(3));

function send({ kind, path, body, trace: low, sampled }) {
  const parameters = {
    headers: { traceparent: `00-${trace}${low}-${low}-${sampled ? '01' : '00'}` },
    tags: { name: kind },
    responseCallback: callbacks[kind],
    timeout: TIMEOUT,
  };
  if (body === null) return http.get(`${target}/api/v1/${path}`, parameters);
  parameters.headers['Content-Type'] = 'application/json';
  return http.post(`${target}/api/v1/${path}`, body, parameters);
}

export function setup() {
  // JavaScript's clock shows whole milliseconds: at the moment of a tick it is right to some microseconds.
  const before = Date.now();
  let unix = before;
  while (unix === before) unix = Date.now();
  const origin = exec.instance.currentTestRunDuration + HEAD_START;
  console.log(`started,${((unix + HEAD_START) / 1000).toFixed(6)}`);
  return { origin };
}

export default function ({ origin }) {
  const clock = () => exec.instance.currentTestRunDuration - origin;
  const number = exec.scenario.iterationInTest;
  const begins = due(number);
  const taken = clock();
  if (taken > (repeats ? begins + LATEST : last)) return;
  if (begins > taken) sleep((begins - taken) / 1000);
  const woken = clock();
  if (woken < begins - EARLY) return; // k6 is being stopped: that ends every sleep
  const request = choose(number);
  const answer = send(request);
  const answered = clock();
  const { blocked, duration } = answer.timings;
  const parts = serverTiming(answer.headers['Server-Timing']);
  // What a timer takes to wake is the generator's own and no waiting for a connection.
  const wait = taken > begins ? woken - begins : 0;
  // Blocked is the time until there was a connection, a new one's connecting included. Without an answer k6 has no
  // complete times.
  const client = answer.status ? blocked + duration : answered - woken;
  // k6 makes the request before its clocks start, and has little left to do after they stop.
  const sent = answered - client;
  const good = answer.status === expectedStatus(request.kind);
  const sample = {
    number,
    due: text(begins),
    sent: text(sent),
    wait: text(wait),
    client_connect: text(blocked),
    client: text(client),
    app: text(parts.app),
    pool: text(parts.pool),
    database_connect: text(parts.connect),
    db: text(parts.db),
    status: answer.status,
    // k6 has an error for every status from 400 on, expected or not.
    error: good ? 0 : answer.error_code,
    good: good ? 1 : 0,
    kind: request.kind,
    trace: request.trace,
  };
  console.log(columns.map((column) => sample[column]).join(','));
  totalTime.add(wait + client);
  waitTime.add(wait);
  clientTime.add(client);
  if (parts.app !== undefined) applicationTime.add(parts.app);
  if (parts.db !== undefined) databaseTime.add(parts.db);
  unexpected.add(!good);
}
