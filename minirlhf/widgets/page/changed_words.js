// Which words of a text aren't in an earlier one, in order: what to mark while one scrubs.

// Words and the blanks between them, so that joining gives the text again.
function pieces(text) {
  return text.split(/(\s+)/).filter((piece) => piece);
}

// The text as [piece, whether it is new], by a longest common subsequence of words.
function changedWords(before, now) {
  const old = pieces(before).filter((piece) => piece.trim());
  const all = pieces(now);
  const words = all.filter((piece) => piece.trim());
  const common = Array.from({ length: old.length + 1 }, () => new Uint16Array(words.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = words.length - 1; j >= 0; j--) {
      common[i][j] = old[i] === words[j] ? common[i + 1][j + 1] + 1
        : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const isNew = [];
  for (let i = 0, j = 0; j < words.length;) {
    if (i < old.length && old[i] === words[j]) { isNew.push(false); i++; j++; }
    else if (i < old.length && common[i + 1][j] >= common[i][j + 1]) i++;
    else { isNew.push(true); j++; }
  }
  let at = 0;
  return all.map((piece) => [piece, piece.trim() ? isNew[at++] : false]);
}
