// What a page computes while one drags. No page in here: tests run this file by itself and hold it
// to objectives.py, on random inputs.

const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

// Eq. 1 for one prompt: the mean of −log σ(r_w − r_l) over the pairs that aren't ties, its gradient
// by each score, and every pair {winner, loser, loss, pull}, where `pull` is what the pair adds to
// the loser's gradient and takes from the winner's.
function rankingLoss(scores, ranks) {
  const pairs = [];
  scores.forEach((_, w) => scores.forEach((_, l) => {
    if (ranks[w] < ranks[l]) pairs.push({ winner: w, loser: l });
  }));
  const gradient = scores.map(() => 0);
  let loss = 0, correct = 0;
  for (const pair of pairs) {
    const difference = scores[pair.winner] - scores[pair.loser];
    pair.loss = softplus(-difference);
    pair.pull = sigmoid(-difference) / pairs.length;
    loss += pair.loss / pairs.length;
    gradient[pair.winner] -= pair.pull;
    gradient[pair.loser] += pair.pull;
    correct += difference > 0;
  }
  return { loss, gradient, pairs, correct };
}

// R_t = −β (log π − log π_ref), and the reward model's score on the last token.
function shapedRewards(logprobs, reference, score, beta) {
  const last = logprobs.length - 1;
  return logprobs.map((x, t) => -beta * (x - reference[t]) + (t === last ? score : 0));
}

// δ_t = R_t + γ V_{t+1} − V_t and Â_t = δ_t + γλ Â_{t+1}, from the last token to the first.
function gae(rewards, values, discount = 1, lam = 0.95) {
  const deltas = [], advantages = [];
  let running = 0;
  for (let t = rewards.length - 1; t >= 0; t--) {
    deltas[t] = rewards[t] + discount * (values[t + 1] ?? 0) - values[t];
    running = deltas[t] + discount * lam * running;
    advantages[t] = running;
  }
  return { deltas, advantages, returns: advantages.map((a, t) => a + values[t]) };
}

// −min(ρA, clip(ρ, 1 ± ε) A), and its slope by ρ: zero where the clip holds.
function policyLoss(ratio, advantage, clip = 0.2) {
  const clipped = Math.min(Math.max(ratio, 1 - clip), 1 + clip);
  return Math.max(-advantage * ratio, -advantage * clipped);
}
function policySlope(ratio, advantage, clip = 0.2) {
  const held = advantage > 0 ? ratio > 1 + clip : ratio < 1 - clip;
  return held ? 0 : -advantage;
}

// ½ max((V − R)², (clip(V, V_old ± ε) − R)²).
function valueLoss(value, old, target, clip = 0.2) {
  const near = Math.min(Math.max(value, old - clip), old + clip);
  return 0.5 * Math.max((value - target) ** 2, (near - target) ** 2);
}
