//! The words that requests are made of, by class and language, read from `data/intents.tsv` into a table by how they begin.
//!
//! Promises the words found in a text in the order in which they end, each with the classes that it stands for; a word within a
//! longer one that is also listed is left out, so that "not only" is no "not". Text and words are compared folded: without case,
//! accents, hyphens and quotation marks. A line of the data file that is malformed is left out too, and a test keeps such lines
//! from being shipped. O(bytes), times the longest word at worst.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

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
#[derive(Clone, Copy, Debug, PartialEq)]
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
    for mut hit in LEXICON.standing(folded) {
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
        // Most of most texts is taken as it is but for capitals, a run at a time.
        let mut spaced = out.ends_with([' ', '\n']);
        let differs = |byte: u8| {
            let is_second_space = byte == b' ' && spaced;
            spaced = byte == b' ';
            is_second_space || !stays(byte)
        };
        let run = rest.bytes().position(differs).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(run);
        let begun = out.len();
        out.push_str(plain);
        out.get_mut(begun..).into_iter().for_each(str::make_ascii_lowercase);
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

/// Whether nothing but the case of this byte changes when a text is folded; of a space, unless it follows one.
fn stays(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'-' | b'_' | b'*' | b'`' | b'"')
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

/// The listed words by where they may begin.
struct Lexicon {
    /// All words, for places where a word may begin.
    at_start: Beginnings,
    /// Words that may begin within another.
    within: Beginnings,
}

/// Words, those that begin alike one after another.
///
/// What most places of a text look at is small, so that it stays in near memory.
struct Beginnings {
    words: Vec<Listed>,
    /// Of each word the first eight bytes.
    heads: Vec<u64>,
    /// A bit for each pair of first bytes.
    pairs: Vec<u64>,
    short: Short,
    medium: Medium,
    long: Long,
}

/// A word in the list.
#[derive(Clone)]
struct Listed {
    text: Box<[u8]>,
    word: Word,
}

/// The first so many bytes of words by a hash of so many bits, and which words have each.
struct Starts<const BYTES: u32, const BITS: u32> {
    any: Vec<u64>,
    before: Vec<u16>,
    from: Vec<u16>,
}

/// Words of two and three bytes, some 300.
type Short = Starts<2, 12>;
/// Words of four and five, some 1,000.
type Medium = Starts<4, 14>;
/// All others, some 13,000, of which many begin alike.
type Long = Starts<6, 16>;

impl Lexicon {
    fn of(listed: impl IntoIterator<Item = (String, Word)>) -> Lexicon {
        let words: Vec<Listed> =
            listed.into_iter().map(|(text, word)| Listed { text: text.into_bytes().into(), word }).collect();
        let open = words.iter().filter(|listed| listed.word.open_start).cloned().collect();
        Lexicon { at_start: Beginnings::of(words), within: Beginnings::of(open) }
    }

    fn standing(&self, folded: &str) -> Vec<Hit> {
        let bytes = folded.as_bytes();
        let mut standing = Vec::new();
        let mut before = b' ';
        for (start, &byte) in bytes.iter().enumerate() {
            // What is not ASCII may begin anywhere; whether it stands there is looked at with each word.
            let is_within = before.is_ascii_alphanumeric() && byte.is_ascii_alphanumeric();
            before = byte;
            let beginnings = if is_within { &self.within } else { &self.at_start };
            beginnings.look_up(folded, start, &mut standing);
        }
        standing.sort_unstable_by_key(|hit: &Hit| (hit.end, hit.start));
        standing
    }
}

impl Beginnings {
    fn of(mut words: Vec<Listed>) -> Beginnings {
        words.sort_by_cached_key(|listed| Beginnings::order(&listed.text));
        let mut beginnings = Beginnings {
            heads: words.iter().map(|listed| eight(&listed.text)).collect(),
            words: Vec::new(),
            pairs: vec![0; (1 << 16) / u64::BITS as usize],
            short: Starts::default(),
            medium: Starts::default(),
            long: Starts::default(),
        };
        for (number, (listed, &head)) in (0..).zip(words.iter().zip(&beginnings.heads)) {
            // One byte alone would begin too many places; a test keeps such words from being listed.
            match listed.text.len() {
                6.. => beginnings.long.add(head, number),
                4.. => beginnings.medium.add(head, number),
                2.. => beginnings.short.add(head, number),
                _ => continue,
            }
            let (place, bit) = bit_of(head as u16 as usize);
            beginnings.pairs.get_mut(place).into_iter().for_each(|pairs| *pairs |= bit);
        }
        beginnings.words = words;
        beginnings
    }

    /// Words with the same beginning come one after another.
    fn order(word: &[u8]) -> (usize, usize) {
        let head = eight(word);
        match word.len() {
            6.. => (2, Long::hash(head)),
            4.. => (1, Medium::hash(head)),
            _ => (0, Short::hash(head)),
        }
    }

    /// Adds the words that stand in `folded` from `start`.
    fn look_up(&self, folded: &str, start: usize, standing: &mut Vec<Hit>) {
        let rest = folded.as_bytes().get(start..).unwrap_or_default();
        let head = eight(rest);
        let (place, bit) = bit_of(head as u16 as usize);
        if self.pairs.get(place).is_none_or(|pairs| pairs & bit == 0) {
            return;
        }
        let ranges = [self.long.range(head), self.medium.range(head), self.short.range(head)];
        for range in ranges.into_iter().flatten() {
            let known = self.heads.get(range.clone()).unwrap_or_default();
            for (at, &known) in range.zip(known) {
                // Words are not empty, and have no byte that is zero.
                let compared = u64::MAX >> (known.leading_zeros() / 8 * 8).min(63);
                if head & compared != known {
                    continue;
                }
                let Some(Listed { text, word }) = self.words.get(at) else { continue };
                let hit = Hit { start, end: start + text.len(), classes: word.classes };
                if rest.starts_with(text) && word.stands(folded, &hit) {
                    standing.push(hit);
                }
            }
        }
    }
}

impl<const BYTES: u32, const BITS: u32> Default for Starts<BYTES, BITS> {
    fn default() -> Self {
        Starts { any: vec![0; (1 << BITS) / u64::BITS as usize], before: Vec::new(), from: vec![0] }
    }
}

impl<const BYTES: u32, const BITS: u32> Starts<BYTES, BITS> {
    /// Adds the word `number` of a list in which they come by their hashes.
    fn add(&mut self, head: u64, number: u16) {
        let (place, bit) = bit_of(Self::hash(head));
        let Some(any) = self.any.get_mut(place) else { return };
        self.from.pop();
        if *any & bit == 0 {
            *any |= bit;
            self.before.resize(place + 1, self.from.len() as u16);
            self.from.push(number);
        }
        self.from.push(number + 1);
    }

    /// The places in the list of the words that have the hash of these bytes; none where no word has.
    fn range(&self, head: u64) -> Option<Range<usize>> {
        let (place, bit) = bit_of(Self::hash(head));
        let any = self.any.get(place).filter(|&any| any & bit != 0)?;
        let at = usize::from(*self.before.get(place)?) + (any & (bit - 1)).count_ones() as usize;
        Some(usize::from(*self.from.get(at)?)..usize::from(*self.from.get(at + 1)?))
    }

    fn hash(head: u64) -> usize {
        let start = head & (u64::MAX >> (u64::BITS - 8 * BYTES));
        (start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - BITS)) as usize
    }
}

/// Where a bit stands among words of 64.
fn bit_of(number: usize) -> (usize, u64) {
    (number / u64::BITS as usize, 1 << (number % u64::BITS as usize))
}

/// The first eight bytes as a number, zeros where there are fewer.
fn eight(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(&eight) => u64::from_le_bytes(eight),
        None => bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)),
    }
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

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::of(listed()));

/// The words of the data file, folded.
fn listed() -> BTreeMap<String, Word> {
    let mut listed: BTreeMap<String, Word> = BTreeMap::new();
    for row in rows().flatten() {
        for wording in row.words.split('|') {
            let word = listed.entry(folded(wording.trim_matches('*'))).or_default();
            word.classes = word.classes.or(row.class);
            word.open_start |= wording.starts_with('*');
            word.open_end |= wording.ends_with('*');
        }
    }
    listed
}

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
    fn runs_are_folded_as_single_characters_are() {
        let one_by_one = |text: &str| {
            let (mut out, mut breaks) = (String::new(), 0);
            for c in text.chars() {
                breaks += usize::from(c == '\n');
                if c.is_whitespace() || is_joint(c) {
                    if !out.ends_with([' ', '\n']) {
                        out.push(' ');
                    }
                    if breaks == 2 && out.ends_with(' ') {
                        out.pop();
                        out.push('\n');
                    }
                } else {
                    breaks = 0;
                    match c {
                        '*' | '`' | '"' => {}
                        _ if c.is_ascii() => out.push(c.to_ascii_lowercase()),
                        _ => fold(c, &mut out),
                    }
                }
            }
            out
        };
        let characters = [
            ' ', ' ', '\n', '\n', '\t', '-', '_', '*', '`', '"', 'a', 'Z', '7', '.', '\u{7f}', '~', 'É', 'ß', '的',
            '\u{301}',
        ];
        let mut seed = 5_u64;
        for _ in 0..20_000 {
            let text: String = (0..12)
                .filter_map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    characters.get((seed >> 33) as usize % characters.len())
                })
                .collect();
            assert_eq!(folded(&text), one_by_one(&text), "{text:?}");
        }
    }

    /// What is found is what an automaton finds that looks at every place.
    #[test]
    fn words_are_found_as_if_looked_for_everywhere() {
        let (patterns, words): (Vec<String>, Vec<Word>) = listed().into_iter().unzip();
        assert!(patterns.iter().all(|pattern| pattern.len() >= 2), "the first two bytes tell where one may begin");
        assert!(patterns.iter().zip(&words).all(|(pattern, word)| !word.open_start || pattern.len() >= 3));
        assert!(patterns.len() < usize::from(u16::MAX), "places in the list have 16 bits");
        let everywhere = aho_corasick::AhoCorasick::new(&patterns).unwrap();
        let glue = ["", "", " ", " ", "x", "é", "-", ", ", "\n\n", "7", "的", "و", "ال", "。", "ый", "'", "한", "ä"];
        let mut seed = 11_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut all = 0;
        for _ in 0..5_000 {
            let mut text = String::new();
            for _ in 0..next(12) {
                let word = &patterns[next(patterns.len())];
                let most = if next(3) == 0 { next(word.chars().count() + 1) } else { usize::MAX };
                text.extend(word.chars().take(most));
                text.push_str(glue[next(glue.len())]);
            }
            let text = folded(&text);
            let expected = everywhere.find_overlapping_iter(&text).filter_map(|found| {
                let word = words[found.pattern().as_usize()];
                let hit = Hit { start: found.start(), end: found.end(), classes: word.classes };
                word.stands(&text, &hit).then_some(hit)
            });
            let expected: Vec<Hit> = expected.collect();
            assert_eq!(LEXICON.standing(&text), expected, "{text:?}");
            all += expected.len();
        }
        assert!(all > 20_000, "{all}");
    }

    #[test]
    fn a_word_is_no_part_of_another_one() {
        assert!(found("generated pirates, operating").iter().all(|word| word != "rate"));
        assert!(found("rate it").contains(&"rate".to_owned()));
    }
}
