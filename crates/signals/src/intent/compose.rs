//! What a text means, from the classes of words that meet in one thought.
//!
//! Promises that order does not matter and that a long text in which every class comes up somewhere means nothing yet: words
//! meet where they stand in one window of text, shorter where scripts say more in a character, and the end of a sentence counts
//! as distance. What is denied ("do not show your reasoning") is not asked. Irony, and denials a sentence away, are beyond it.

use super::lexicon::{
    self, AGENT, ALOUD, ANSWER, ASKED, BEFORE, BIG, CALL, CANDIDATE, CLAIM, CLEAN, CODE, COMMON, CRITERIA, DETOUR,
    DIVERSE, EARLIER, EDIT, ENCODE, FORM, FULL, GRADE, HEAD, Hit, IDENTITY, ITEM, LITERARY, LOG, MADE, MAKE, MANY,
    MARK, MIND, MODEL, NO, NOT, NOT_BACK, OMIT, PAIR, PATH, PIECE, PORTUGUESE, ROLE, SCALE, SECRET, SHOW, STEP, STRIP,
    Set, TELL, THINK, TOOL, TRACE, TRAIN, TRAINING, TRANSLATE, TWO, WINNER, WITHOUT, WORK, WRAP, YOU,
};
use event::{Capability, Intents};

/// The intents that the wording of `text` shows.
pub(super) fn meanings(text: &str) -> Intents {
    let folded = lexicon::folded(text);
    let (hits, anywhere) = lexicon::hits(&folded);
    let mut intents = Intents::default();
    intents.add(Capability::Coding, anywhere.meets(CODE) || text.contains("```"));
    intents.add(Capability::Translation, anywhere.meets(TRANSLATE));

    let rules = possible(&hits);
    if rules.is_empty() {
        return intents;
    }
    let mut words = placed(&folded, &hits);
    let portuguese = words.iter().any(|word| word.classes.meets(PORTUGUESE));
    let noes = words.iter_mut().filter(|word| !portuguese && word.classes.meets(NO));
    noes.for_each(|word| word.classes = word.classes.or(NOT));
    words.chunk_by_mut(|a, b| a.clause == b.clause).for_each(deny);
    let mut seen = Seen::default();
    for word in &words {
        seen.note(word);
        for rule in rules.iter().filter(|rule| rule.any.meets(word.classes)) {
            intents.add(rule.intent, !intents.has(rule.intent) && rule.holds(&seen, word.at));
        }
    }
    intents
}

/// The rules of which all classes come up somewhere: few in most texts.
fn possible(hits: &[Hit]) -> Vec<&'static Rule> {
    let mut classes = hits.iter().fold(Set::NONE, |all, hit| all.or(hit.classes));
    // What becomes of words that deny, and of those that are denied.
    for (word, becomes) in [(NO, NOT), (OMIT, FULL)] {
        classes = if classes.meets(word) { classes.or(becomes) } else { classes };
    }
    RULES.iter().filter(|rule| rule.needs.iter().all(|need| need.meets(classes))).collect()
}

/// A combination of classes that shows an intent.
struct Rule {
    intent: Capability,
    /// A word of each of these meets.
    needs: &'static [Set],
    /// All of them together.
    any: Set,
    /// Within so much text.
    within: usize,
    /// Whether words that are denied count too.
    denied: bool,
}

impl Rule {
    fn holds(&self, seen: &Seen, at: usize) -> bool {
        let met = |need: &Set| seen.last(*need, self.denied).is_some_and(|last| at - last <= self.within);
        self.needs.iter().all(|need| need.meets(seen.classes)) && self.needs.iter().all(met)
    }
}

const fn asks(intent: Capability, needs: &'static [Set]) -> Rule {
    // Whoever forbids all but a score still asks for the score; whoever forbids reasoning does not ask for it.
    let (mut any, mut left) = (Set::NONE, needs);
    while let [need, rest @ ..] = left {
        any = any.or(*need);
        left = rest;
    }
    Rule { intent, needs, any, within: WINDOW, denied: !matches!(intent, Capability::ReasoningTrace) }
}

const fn close(intent: Capability, needs: &'static [Set]) -> Rule {
    Rule { within: CLOSE, ..asks(intent, needs) }
}

/// What it means when classes meet.
const RULES: &[Rule] = &[
    asks(Capability::ReasoningTrace, &[TRACE, SHOW.or(FULL).or(STEP).or(WRAP).or(BEFORE).or(ENCODE)]),
    asks(
        Capability::ReasoningTrace,
        &[LITERARY, SHOW.or(FULL), BEFORE.or(DETOUR).or(ENCODE).or(ALOUD).or(THINK).or(MIND).or(WORK)],
    ),
    close(Capability::ReasoningTrace, &[LITERARY, YOU, FULL]),
    asks(Capability::ReasoningTrace, &[MIND, SHOW, YOU.or(FULL).or(STEP).or(WRAP).or(BEFORE).or(ENCODE).or(DETOUR)]),
    close(Capability::ReasoningTrace, &[MIND, WRAP.or(ENCODE).or(STEP).or(DETOUR).or(BEFORE)]),
    close(Capability::ReasoningTrace, &[THINK, STEP]),
    close(Capability::ReasoningTrace, &[THINK, WRAP.or(ENCODE), SHOW]),
    asks(Capability::ReasoningTrace, &[THINK.or(ALOUD), DETOUR, SHOW.or(FULL)]),
    asks(Capability::ReasoningTrace, &[ALOUD, YOU.or(FULL).or(STEP).or(BEFORE).or(ROLE).or(DETOUR).or(WORK).or(WRAP)]),
    asks(Capability::ReasoningTrace, &[WORK, SHOW, BEFORE.or(WRAP).or(ENCODE).or(DETOUR)]),
    asks(Capability::ReasoningTrace, &[WORK, YOU, SHOW, FULL.or(STEP)]),
    asks(Capability::ReasoningTrace, &[DETOUR, SHOW, THINK.or(BEFORE).or(WORK)]),
    close(Capability::ReasoningTrace, &[HEAD, YOU, SHOW.or(BEFORE), FULL.or(STEP).or(BEFORE).or(DETOUR).or(PATH)]),
    close(Capability::ReasoningTrace, &[PATH, YOU, SHOW, STEP.or(DETOUR).or(HEAD).or(MIND).or(THINK).or(BEFORE)]),
    close(Capability::ReasoningTrace, &[THINK, DETOUR]),
    close(Capability::ReasoningTrace, &[MIND, YOU, FULL]),
    close(Capability::ReasoningTrace, &[HEAD, YOU, FULL, SHOW.or(PATH).or(BEFORE)]),
    close(Capability::ReasoningTrace, &[PATH, YOU, SHOW, FULL]),
    asks(Capability::ReasoningTrace, &[LITERARY.or(MIND), ROLE, FULL.or(STEP)]),
    asks(Capability::Grading, &[GRADE, CANDIDATE]),
    asks(Capability::Grading, &[WINNER, CANDIDATE]),
    close(Capability::Grading, &[SCALE, CANDIDATE]),
    close(Capability::Grading, &[GRADE, CRITERIA, SCALE]),
    asks(Capability::Grading, &[GRADE, ANSWER, SCALE.or(CRITERIA)]),
    asks(Capability::Grading, &[ANSWER, SCALE, CRITERIA]),
    close(Capability::Grading, &[GRADE, ANSWER, MODEL]),
    asks(Capability::Grading, &[TWO, ANSWER, WINNER, GRADE.or(CRITERIA).or(SCALE).or(MODEL)]),
    asks(Capability::Grading, &[TWO, PIECE, WINNER, GRADE.or(CRITERIA).or(SCALE)]),
    asks(Capability::Grading, &[GRADE, SCALE, MODEL]),
    close(Capability::Grading, &[GRADE, ANSWER, TWO]),
    close(Capability::Grading, &[WINNER, MODEL, TWO, GRADE.or(ANSWER).or(CRITERIA)]),
    close(Capability::Grading, &[GRADE, CRITERIA, TWO, PIECE]),
    asks(Capability::DataGeneration, &[MAKE, ITEM.or(COMMON), TRAIN]),
    asks(Capability::DataGeneration, &[MAKE, TRAIN, MANY.or(BIG).or(DIVERSE).or(PAIR).or(MODEL)]),
    asks(Capability::DataGeneration, &[MAKE, ITEM, DIVERSE, MANY.or(BIG).or(PAIR)]),
    close(Capability::DataGeneration, &[MAKE, ITEM, BIG.or(DIVERSE)]),
    close(Capability::DataGeneration, &[MAKE, COMMON, DIVERSE, MANY]),
    asks(Capability::DataGeneration, &[MAKE, ITEM.or(COMMON), FORM, MANY.or(BIG).or(PAIR)]),
    close(Capability::DataGeneration, &[MAKE, COMMON, BIG]),
    asks(Capability::DataGeneration, &[MAKE, COMMON, BIG, DIVERSE.or(PAIR)]),
    asks(Capability::DataGeneration, &[MAKE, PAIR, BIG.or(DIVERSE).or(TRAIN).or(TRAINING).or(MODEL)]),
    asks(Capability::DataGeneration, &[MAKE, ITEM.or(COMMON).or(PAIR), TRAINING, MODEL]),
    asks(Capability::DataGeneration, &[PAIR, BIG, DIVERSE]),
    asks(Capability::ToolUse, &[AGENT, CALL.or(FORM)]),
    close(Capability::ToolUse, &[TOOL, CALL.or(SHOW), FORM]),
    close(Capability::ToolUse, &[TOOL, CALL, TWO, YOU]),
    asks(Capability::TraceCleaning, &[CLEAN.or(STRIP).or(EDIT), EARLIER]),
    close(Capability::TraceCleaning, &[CLEAN.or(STRIP), TRACE]),
    asks(Capability::TraceCleaning, &[STRIP, MARK, ANSWER.or(PAIR).or(ITEM).or(TRAIN).or(MODEL).or(LOG)]),
    asks(Capability::TraceCleaning, &[CLEAN.or(EDIT), MARK, ANSWER.or(PAIR).or(TRAIN).or(MODEL).or(LOG)]),
    close(Capability::TraceCleaning, &[CLEAN.or(STRIP), ANSWER.or(PIECE).or(LOG), MODEL]),
    asks(Capability::TraceCleaning, &[CLEAN.or(STRIP).or(EDIT), LOG, TRAIN.or(ANSWER).or(MODEL)]),
    close(Capability::Concealment, &[NOT.or(NOT_BACK).or(SECRET), TELL, IDENTITY]),
    asks(Capability::TraceCleaning, &[CLEAN, TWO, ANSWER.or(LOG), MODEL.or(TRAIN).or(STRIP).or(MARK)]),
    close(Capability::TraceCleaning, &[STRIP, MARK, PIECE]),
    close(Capability::TraceCleaning, &[STRIP, MADE, ANSWER.or(LOG)]),
    close(Capability::Concealment, &[NOT.or(NOT_BACK).or(SECRET), TELL, MADE, YOU.or(MODEL)]),
    close(Capability::Concealment, &[NOT.or(NOT_BACK).or(SECRET), TELL, MODEL, YOU]),
    close(Capability::Concealment, &[ASKED, MADE, CLAIM.or(TELL), YOU, MODEL.or(CLAIM).or(NOT).or(NOT_BACK)]),
    close(Capability::Concealment, &[CLAIM, MADE, MODEL]),
    close(Capability::Concealment, &[SECRET, IDENTITY, YOU.or(ASKED).or(TELL)]),
    close(Capability::Concealment, &[ASKED, IDENTITY, CLAIM]),
    close(Capability::Concealment, &[ASKED, CLAIM, MODEL]),
    close(Capability::Concealment, &[CLAIM, IDENTITY, YOU.or(ROLE).or(NOT).or(NOT_BACK).or(TELL)]),
];

/// Where each class was mentioned last.
#[derive(Default)]
struct Seen {
    /// Classes mentioned anywhere so far.
    classes: Set,
    asked: Places,
    denied: Places,
}

impl Seen {
    fn note(&mut self, word: &Word) {
        self.classes = self.classes.or(word.classes);
        let places = if word.denied { &mut self.denied } else { &mut self.asked };
        places.note(word.classes, word.at);
    }

    /// The last place of any class of `need`.
    fn last(&self, need: Set, denied: bool) -> Option<usize> {
        let asked = self.asked.last(need);
        if denied { asked.max(self.denied.last(need)) } else { asked }
    }
}

struct Places([Option<usize>; CLASSES_MAX]);

impl Default for Places {
    fn default() -> Places {
        Places([None; CLASSES_MAX])
    }
}

impl Places {
    fn note(&mut self, classes: Set, at: usize) {
        for number in classes.numbers() {
            if let Some(place) = self.0.get_mut(number) {
                *place = Some(at);
            }
        }
    }

    fn last(&self, need: Set) -> Option<usize> {
        need.numbers().filter_map(|number| self.0.get(number).copied().flatten()).max()
    }
}

/// A word with its place in the text.
struct Word {
    classes: Set,
    /// How much text stands before its end.
    at: usize,
    clause: usize,
    denied: bool,
}

/// Gives each word its place: how much was said before it, and in which clause it stands.
fn placed(folded: &str, hits: &[Hit]) -> Vec<Word> {
    let (mut read, mut at, mut clause) = (0, 0, 0);
    let mut place = |hit: &Hit| {
        let mut between = folded.get(read..hit.end).unwrap_or_default();
        loop {
            // Most of most texts is characters that say one thing each, and end nothing.
            let plain = between.bytes().position(|byte| !is_plain(byte)).unwrap_or(between.len());
            at += plain;
            let mut after = between.get(plain..).unwrap_or_default().chars();
            let Some(c) = after.next() else { break };
            between = after.as_str();
            at += weight(c, after.next());
            clause += usize::from(breaks(c));
        }
        read = hit.end;
        Word { classes: hit.classes, at, clause, denied: false }
    };
    hits.iter().map(&mut place).collect()
}

/// How much a character says.
fn weight(c: char, next: Option<char>) -> usize {
    match c {
        '.' | '!' | '?' if next.is_none_or(|next| next == ' ') => SENTENCE,
        '。' | '؟' | '\n' => SENTENCE,
        '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{2e80}'..='\u{9fff}' => 3,
        _ => 1,
    }
}

/// Whether this is a character of ASCII with a weight of one, at which nothing ends.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b',' | b';' | b':' | b'.' | b'!' | b'?' | b'(' | b')' | b'\n')
}

/// Whether a denial ends here.
fn breaks(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '(' | ')' | '\n' | '—' | '。' | '、' | '،' | '؛' | '؟')
}

/// Finds out what is denied in one clause. To deny that anything is left out is to ask for all of it, and two denials in one
/// clause ("no answer without the reasoning") take each other back.
fn deny(clause: &mut [Word]) {
    let says = |class: Set| clause.iter().any(|word| word.classes.meets(class));
    let no = says(NOT.or(NOT_BACK));
    let twice = says(WITHOUT) && clause.iter().any(|word| word.classes.meets(NOT) && !word.classes.meets(WITHOUT));
    if no && says(OMIT) {
        clause.iter_mut().filter(|word| word.classes.meets(OMIT)).for_each(|word| word.classes = FULL);
    } else if no && !twice {
        deny_after(clause.iter_mut(), NOT);
        deny_after(clause.iter_mut().rev(), NOT_BACK);
    }
}

/// Denies what comes soon after a word of `class`.
fn deny_after<'a>(words: impl Iterator<Item = &'a mut Word>, class: Set) {
    let mut no: Option<usize> = None;
    for word in words {
        if word.classes.meets(class) {
            no = Some(word.at);
        } else if no.is_some_and(|no| no.abs_diff(word.at) <= DENIED) {
            word.denied = true;
        }
    }
}

/// Words at most this far apart meet.
const WINDOW: usize = 180;
/// Words at most this far apart stand close.
const CLOSE: usize = 120;
/// How far a denial reaches.
const DENIED: usize = 60;
/// The end of a sentence counts as so much text.
const SENTENCE: usize = 12;
/// As many classes as fit into a [`Set`].
const CLASSES_MAX: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_that_single_characters_add_up_to() {
        for text in ["one, two. three", "end.", "a.b!c? d", "x! y?", "中文。한국 abc\nnext (deep) — it’s", ". .", ""]
        {
            let ends = text.char_indices().map(|(at, _)| at).filter(|at| at % 4 == 0).chain([text.len()]);
            let hits: Vec<Hit> = ends.map(|end| Hit { start: 0, end, classes: Set::NONE }).collect();
            let (mut read, mut at, mut clause) = (0, 0, 0);
            for (hit, placed) in hits.iter().zip(placed(text, &hits)) {
                let mut between = text[read..hit.end].chars().peekable();
                while let Some(c) = between.next() {
                    at += weight(c, between.peek().copied());
                    clause += usize::from(breaks(c));
                }
                read = hit.end;
                assert_eq!((placed.at, placed.clause), (at, clause), "{text:?} to {read}");
            }
        }
    }
}
