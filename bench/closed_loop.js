// Requests random accounts, one at a time on each connection.
import http from 'k6/http';
import { sleep } from 'k6';

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['count', 'med', 'p(99)', 'p(99.9)', 'max'],
  scenarios: {
    loop: { executor: 'constant-vus', vus: Number(__ENV.CONNECTIONS), duration: `${__ENV.SECONDS}s` },
  },
};

export default function () {
  http.get(`${__ENV.TARGET}/api/v1/accounts/${1 + Math.floor(Math.random() * 1000000)}`, { tags: { name: 'account' } });
  sleep(Number(__ENV.PAUSE_MS) / 1000);
}
