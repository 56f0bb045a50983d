// Requests random accounts at a constant rate, however long the responses take.
import http from 'k6/http';

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['med', 'p(99)'],
  scenarios: {
    arrivals: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE),
      duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: 50,
      maxVUs: 500,
    },
  },
};

export default function () {
  http.get(`${__ENV.TARGET}/api/v1/accounts/${1 + Math.floor(Math.random() * 1000000)}`, { tags: { name: 'account' } });
}
