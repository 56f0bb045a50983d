// When each request of a plan begins: times from the course of its rate.

// The plan's segments with what came before each: seconds, and arrivals (not always a whole number).
function laidOut(plan) {
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
  // The quadratic's solution in the form that neither divides by the slope, which may be 0, nor takes the difference
  // of two numbers that are almost the same.
  const root = Math.sqrt(Math.max(0, segment.begin * segment.begin + 2 * slope * count));
  return Math.min((2 * count) / (segment.begin + root), segment.seconds);
}

// A function from an arrival's number, 0 and up, to milliseconds since the plan's begin. Past the plan's last arrival
// it begins anew: such numbers come with a plan that repeats.
export function dueTimes(plan) {
  const segments = laidOut(plan);
  return (number) => {
    const round = Math.floor(number / plan.arrivals);
    const count = number - round * plan.arrivals;
    let at = segments.length - 1;
    while (at > 0 && segments[at].first > count) at -= 1;
    const segment = segments[at];
    return (round * plan.seconds + segment.after + secondsInto(segment, count - segment.first)) * 1000;
  };
}
