// When each request of a plan is scheduled, from the course of its rate.

// The plan's segments, each with the seconds and arrivals (not always a whole number) before it.
function withOffsets(plan) {
  let seconds = 0;
  let arrivals = 0;
  return plan.segments.map((segment) => {
    const placed = { ...segment, after: seconds, first: arrivals };
    seconds += segment.seconds;
    arrivals += (segment.seconds * (segment.begin + segment.end)) / 2;
    return placed;
  });
}

// Seconds into a segment at which its rate's integral reaches a count of arrivals.
function secondsInto(segment, count) {
  if (count <= 0) return 0;
  const slope = (segment.end - segment.begin) / segment.seconds;
  // The quadratic formula in the form that neither divides by the slope, which may be 0, nor subtracts two nearly
  // equal numbers.
  const root = Math.sqrt(Math.max(0, segment.begin * segment.begin + 2 * slope * count));
  return Math.min((2 * count) / (segment.begin + root), segment.seconds);
}

// Returns a function from an arrival's number, from 0, to milliseconds since the plan's start. Numbers past the last
// arrival belong to the next repetition of the plan.
export function dueTimes(plan) {
  const segments = withOffsets(plan);
  return (number) => {
    const round = Math.floor(number / plan.arrivals);
    const count = number - round * plan.arrivals;
    let at = segments.length - 1;
    while (at > 0 && segments[at].first > count) at -= 1;
    const segment = segments[at];
    return (round * plan.seconds + segment.after + secondsInto(segment, count - segment.first)) * 1000;
  };
}
