//! The words that requests are made of, by class and language, read from `data/intents.tsv` into one automaton.
//!
//! Promises the words found in a text in the order in which they end, each with the classes that it stands for; a word within a
//! longer one that is also listed is left out, so that "not only" is no "not". Text and words are compared folded: without case,
//! accents, hyphens and quotation marks. A line of the data file that is malformed is left out too, and a test keeps such lines
//! from being shipped. O(bytes).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// A set of classes of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    /// No class.
    pub(super) const NONE: Set = Set(0);

    /// Both sets together.
    pub(super) const fn or(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }

    /// What both sets have.
    pub(super) const fn and(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }

    /// What `other` has not.
    pub(super) const fn without(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }

    /// Whether the sets share a class.
    pub(super) const fn meets(self, other: Set) -> bool {
        self.0 & other.0 != 0
    }

    /// The numbers of its classes.
    pub(super) fn numbers(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let number = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (number < u64::BITS).then_some(number as usize)
        })
    }
}

/// Names the classes, in the code and in the data file.
macro_rules! classes {
    ($($(#[doc = $doc:literal])* $class:ident $name:literal)*) => {
        /// The number of each class.
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "named as the sets below")]
        enum Number { $($class,)* }
        $($(#[doc = $doc])* pub(super) const $class: Set = Set(1 << Number::$class as u32);)*
        /// Classes by their names in the data file.
        const NAMES: &[(&str, Set)] = &[$(($name, $class),)*];
    };
}

classes! {
    /// Stands for nothing: hides a shorter word within it.
    MASK "mask"
    /// Says no to what follows.
    NOT "not"
    /// "No", which says no, unless it is Portuguese for "in the".
    NO "no"
    /// Words by which Portuguese is known.
    PORTUGUESE "portuguese"
    /// Says no to what went before, as verbs at the end of a sentence do.
    NOT_BACK "not_back"
    /// Without: of two denials in a clause, the second.
    WITHOUT "without"
    /// Leaving out.
    OMIT "omit"
    /// You, your: the model is meant.
    YOU "you"
    /// What only a model's reasoning is called.
    TRACE "trace"
    /// The same in literature and at the desk: inner monologues, drafts.
    LITERARY "lit"
    /// Reasoning, thoughts, deliberation.
    MIND "mind"
    /// The head and what goes on in it.
    HEAD "head"
    /// The way to an answer.
    PATH "path"
    /// The verbs for it, too common to count alone.
    THINK "think"
    /// Thinking aloud.
    ALOUD "aloud"
    /// Steps one by one.
    STEP "step"
    /// Intermediate steps, derivations, workings.
    WORK "work"
    /// Doubts, dead ends, corrections.
    DETOUR "detour"
    /// Completely, literally, unshortened.
    FULL "full"
    /// Write, show, reveal.
    SHOW "show"
    /// In tags, in a block, in a field.
    WRAP "wrap"
    /// Before the answer.
    BEFORE "before"
    /// Encoded or written backwards.
    ENCODE "encode"
    /// Playing somebody.
    ROLE "role"
    /// Score, rate, judge.
    GRADE "grade"
    /// A scale of numbers.
    SCALE "scale"
    /// Rubrics and what they weigh.
    CRITERIA "criteria"
    /// Answers of models, to be compared.
    CANDIDATE "candidate"
    /// Which is better.
    WINNER "winner"
    /// Answers, responses, outputs.
    ANSWER "answer"
    /// What a person writes: essays, texts, messages.
    PIECE "piece"
    /// Models, assistants, machines.
    MODEL "model"
    /// Two, several, these.
    TWO "two"
    /// Generate, write, make up.
    MAKE "make"
    /// Instructions, prompts, queries.
    ITEM "item"
    /// Questions, examples, exercises, which everybody asks for.
    COMMON "common"
    /// Pairs of a question and its answer.
    PAIR "pair"
    /// Training data, fine-tuning, data sets.
    TRAIN "train"
    /// Training and learning, of anybody.
    TRAINING "training"
    /// Many.
    MANY "many"
    /// Very many.
    BIG "big"
    /// Different from one another, or harder than before.
    DIVERSE "diverse"
    /// Tools that a model may call.
    TOOL "tool"
    /// What only an agent's prompt says.
    AGENT "agent"
    /// Calling.
    CALL "call"
    /// The form of a call.
    FORM "form"
    /// Clean, normalise, merge.
    CLEAN "clean"
    /// Rewrite, convert, correct.
    EDIT "edit"
    /// Remove, strip.
    STRIP "strip"
    /// What a model wrote earlier.
    EARLIER "earlier"
    /// What was recorded or collected.
    LOG "log"
    /// Traces of who wrote it.
    MARK "mark"
    /// Telling: say, mention, admit.
    TELL "tell"
    /// Which model, whose, made by whom.
    IDENTITY "identity"
    /// Who made it, and under which name.
    MADE "made"
    /// Being asked.
    ASKED "asked"
    /// Keeping a secret.
    SECRET "secret"
    /// Claiming to be.
    CLAIM "claim"
    /// Program code, as stems anywhere.
    CODE "code"
    /// Translations, as stems anywhere.
    TRANSLATE "translate"
}

/// A listed word in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// Its first byte in the folded text.
    pub(super) start: usize,
    /// One past its last.
    pub(super) end: usize,
    /// What it stands for.
    pub(super) classes: Set,
}

/// The listed words of a folded text, by their ends, and the classes of the stems that count anywhere.
pub(super) fn hits(folded: &str) -> (Vec<Hit>, Set) {
    let (mut hits, mut anywhere): (Vec<Hit>, Set) = (Vec::new(), Set::default());
    for found in LEXICON.automaton.find_overlapping_iter(folded) {
        let Some(word) = LEXICON.words.get(found.pattern().as_usize()) else { continue };
        let mut hit = Hit { start: found.start(), end: found.end(), classes: word.classes };
        if !word.stands(folded, &hit) {
            continue;
        }
        anywhere = anywhere.or(hit.classes.and(ANYWHERE));
        if hit.classes.without(ANYWHERE) == Set::default() {
            continue;
        }
        while let Some(last) = hits.pop_if(|last| last.start >= hit.start && last.end < hit.end) {
            // A stem and more of the same word: the word stands for both.
            let one_word =
                last.start == hit.start && !folded.get(hit.start..hit.end).unwrap_or_default().contains(apart);
            hit.classes = hit.classes.or(if one_word { last.classes } else { Set::default() });
        }
        // What ends at the same place comes longest first.
        if hits.last().is_none_or(|last| last.end != hit.end) {
            hits.push(hit);
        }
    }
    (hits, anywhere)
}

/// What does not stand within one word.
fn apart(c: char) -> bool {
    c.is_ascii_punctuation() || c.is_whitespace() || c >= '\u{1100}'
}

/// Coding and translation are told by stems anywhere, also within other words.
const ANYWHERE: Set = CODE.or(TRANSLATE);

/// A text as it is compared: lower case, no accents, no quotation marks, one space for spaces and hyphens, a line break for an
/// empty line.
pub(super) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut breaks = 0;
    let mut rest = text;
    loop {
        // Most of most texts is words of small letters: taken as they are, a run at a time.
        let run = rest.bytes().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(run);
        out.push_str(plain);
        breaks = if run > 0 { 0 } else { breaks };
        let mut chars = after.chars();
        let Some(c) = chars.next() else { break };
        rest = chars.as_str();
        if c == '\n' {
            breaks += 1;
        }
        if c.is_whitespace() || is_joint(c) {
            if !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
            if breaks == 2 && out.ends_with(' ') {
                out.pop();
                out.push('\n');
            }
            continue;
        }
        breaks = 0;
        if c.is_ascii() {
            if !matches!(c, '*' | '`' | '"') {
                out.push(c.to_ascii_lowercase());
            }
        } else {
            fold(c, &mut out);
        }
    }
    out
}

fn is_joint(c: char) -> bool {
    matches!(c, '-' | '_' | '\u{2010}'..='\u{2013}')
}

/// Adds a character that is not ASCII in its plain form.
fn fold(c: char, out: &mut String) {
    for c in c.to_lowercase() {
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => out.push('a'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'è'..='ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'ì'..='ï' | 'ī' | 'ı' => out.push('i'),
            'ñ' | 'ń' => out.push('n'),
            'ò'..='ö' | 'ø' | 'ō' => out.push('o'),
            'ù'..='ü' | 'ū' => out.push('u'),
            'ß' => out.push_str("ss"),
            'œ' => out.push_str("oe"),
            'ё' => out.push('е'),
            'أ' | 'إ' | 'آ' => out.push('ا'),
            'ى' => out.push('ي'),
            'ة' => out.push('ه'),
            '’' | '‘' | 'ʼ' => out.push('\''),
            // Fullwidth forms of ASCII.
            '\u{ff01}'..='\u{ff5e}' => {
                let plain = u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c);
                out.push(plain.to_ascii_lowercase());
            }
            // Accents and vowel signs that stand alone, characters without width, quotation marks.
            '\u{300}'..='\u{36f}' | '\u{640}' | '\u{64b}'..='\u{652}' | '\u{ad}' | '\u{200b}'..='\u{200f}' => {}
            '\u{2060}' | '\u{feff}' | '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' | '《' | '》' =>
                {}
            _ => out.push(c),
        }
    }
}

struct Lexicon {
    automaton: AhoCorasick,
    words: Vec<Word>,
}

/// A listed word.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    classes: Set,
    /// May letters go before it?
    open_start: bool,
    /// May letters follow?
    open_end: bool,
}

impl Word {
    /// Whether it stands here as a word, not as a part of another.
    fn stands(&self, folded: &str, hit: &Hit) -> bool {
        let before = folded.get(..hit.start).unwrap_or_default();
        let within = folded.get(hit.start..hit.end).unwrap_or_default();
        let after = folded.get(hit.end..).unwrap_or_default();
        (self.open_start || !joined(bare(before).chars().next_back(), within.chars().next()))
            && (self.open_end || !joined(within.chars().next_back(), after.chars().next()))
    }
}

/// `before` without the particles that Arabic writes in front of a word.
fn bare(before: &str) -> &str {
    match before.chars().next_back() {
        Some('\u{600}'..='\u{6ff}') => before.trim_end_matches(['و', 'ف', 'ب', 'ك', 'ل', 'ا', 'س', 'ي', 'ت', 'ن']),
        _ => before,
    }
}

/// Whether two characters belong to one word, in a script that puts spaces between words.
fn joined(left: Option<char>, right: Option<char>) -> bool {
    let spaced = |c: Option<char>| c.is_some_and(|c| c < '\u{1100}' && c.is_alphanumeric());
    spaced(left) && spaced(right)
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut listed: BTreeMap<String, Word> = BTreeMap::new();
    for row in rows().flatten() {
        for wording in row.words.split('|') {
            let word = listed.entry(folded(wording.trim_matches('*'))).or_default();
            word.classes = word.classes.or(row.class);
            word.open_start |= wording.starts_with('*');
            word.open_end |= wording.ends_with('*');
        }
    }
    let (patterns, words): (Vec<String>, Vec<Word>) = listed.into_iter().unzip();
    let built = AhoCorasickBuilder::new()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .match_kind(MatchKind::Standard)
        .build(patterns);
    #[expect(clippy::expect_used, reason = "the patterns are constants, and a test builds them")]
    let automaton = built.expect("the lexicon builds");
    Lexicon { automaton, words }
});

/// A line of the data file.
#[derive(Debug)]
struct Row {
    class: Set,
    words: &'static str,
}

/// The lines of the data file; of one that is malformed, its text.
fn rows() -> impl Iterator<Item = Result<Row, &'static str>> {
    let lines = include_str!("../../data/intents.tsv").lines();
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| row(line).ok_or(line))
}

fn row(line: &'static str) -> Option<Row> {
    let mut fields = line.split('\t');
    let (class, language, words) = (fields.next()?, fields.next()?, fields.next()?);
    let &(_, class) = NAMES.iter().find(|(name, _)| *name == class)?;
    let sound = |word: &str| {
        let word = word.trim_matches('*');
        !word.contains('*') && !folded(word).trim().is_empty()
    };
    (fields.next().is_none() && LANGUAGES.contains(&language) && words.split('|').all(sound))
        .then_some(Row { class, words })
}

/// Languages of the lexicon; `any` is for words that are the same in all.
const LANGUAGES: [&str; 11] = ["any", "en", "zh", "ja", "ko", "es", "pt", "fr", "de", "ru", "ar"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let folded = folded(text);
        hits(&folded).0.iter().map(|hit| folded[hit.start..hit.end].to_owned()).collect()
    }

    #[test]
    fn every_line_of_the_data_file_is_read() {
        let malformed: Vec<&str> = rows().filter_map(Result::err).collect();
        assert!(malformed.is_empty(), "{malformed:#?}");
        for line in [
            "mind\ten",
            "mind\txx\tthought",
            "mnd\ten\tthought",
            "mind\ten\tthought||",
            "mind\ten\ta\tb",
            "mind\ten\ta*b",
        ] {
            assert!(row(line).is_none(), "{line}");
        }
    }

    #[test]
    fn every_class_has_words() {
        for (name, class) in NAMES {
            assert!(rows().flatten().any(|row| row.class == *class), "{name}");
        }
    }

    #[test]
    fn folding_leaves_what_is_compared() {
        for (text, plain) in [
            ("Step-by-Step", "step by step"),
            ("ÜBERLEGUNG, Réflexion", "uberlegung, reflexion"),
            ("**Ход** МЫСЛЕЙ", "ход мыслей"),
            ("one\ntwo\n\n three", "one two\nthree"),
            ("１から５", "1から5"),
        ] {
            assert_eq!(folded(text), plain);
        }
    }

    #[test]
    fn a_word_is_no_part_of_another_one() {
        assert!(found("generated pirates, operating").iter().all(|word| word != "rate"));
        assert!(found("rate it").contains(&"rate".to_owned()));
    }
}
