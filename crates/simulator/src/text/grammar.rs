//! A small grammar, from which all own text is drawn.
//!
//! Promises that a parsed grammar can always be expanded: every symbol is defined and none leads back to itself. Refuses
//! any other source, naming its line. An expansion is bounded by the grammar's own depth.
//!
//! ```text
//! # a comment
//! greeting: Hello | Good {morning|evening|day}      alternatives stand between bars
//!     {^salute}, {name@a}                           or on indented lines of their own
//! ```
//!
//! | written | means |
//! |---|---|
//! | `{name}` | an expansion of `name` |
//! | `{one\|two\|}` | one of these, spaces and all; the last is nothing |
//! | `{^name}` | with its first letter in upper case |
//! | `{name@a}` | drawn once, then repeated as long as the [`Scene`] lasts |
//! | `{name@own…}` | always the same for the same owner of the scene |
//! | `{.name}` | `name` in the scene's domain: `cooking.name`, `law.name`… |
//! | `\n`, `\\`, `\{`… | a line break; the character itself |

use std::collections::BTreeMap;

use rand::Rng;
use thiserror::Error;

use crate::draw::{mix, pick, stream};

/// Rules by name. Checked when parsed.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    rules: Vec<Rule>,
    names: BTreeMap<String, RuleId>,
    /// Names of local rules, and for each the rule in every domain.
    locals: Vec<(String, Vec<RuleId>)>,
    domains: Vec<String>,
}

/// A place in [`Grammar::rules`].
pub(super) type RuleId = usize;

#[derive(Debug, Default)]
struct Rule {
    alternatives: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Slot { target: Target, upper: bool, key: Key },
}

#[derive(Clone, Debug)]
enum Target {
    /// As written, before names are looked up.
    Named(String),
    Rule(RuleId),
    /// A place in [`Grammar::locals`].
    Local(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Fresh,
    Scene(String),
    Owner(String),
}

/// Why a grammar was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum BadGrammar {
    #[error("line {line}: expected `name: text` or an indented alternative")]
    Line { line: usize },
    #[error("line {line}: `{name}` is defined twice")]
    Twice { line: usize, name: String },
    #[error("line {line}: braces do not match")]
    Braces { line: usize },
    #[error("`{name}` is used but not defined")]
    Undefined { name: String },
    #[error("`{name}` leads back to itself")]
    Cycle { name: String },
}

impl Grammar {
    /// Reads rules from `source`.
    pub(super) fn parse(source: &str) -> Result<Grammar, BadGrammar> {
        let mut grammar = Grammar::default();
        let mut current = None;
        for (line, text) in (1..).zip(source.lines()) {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let (id, body) = if text.starts_with(char::is_whitespace) {
                (current.ok_or(BadGrammar::Line { line })?, text)
            } else {
                let (name, body) = text.split_once(':').ok_or(BadGrammar::Line { line })?;
                if !is_name(name) {
                    return Err(BadGrammar::Line { line });
                }
                let id = grammar.add(Rule::default());
                if grammar.names.insert(name.to_owned(), id).is_some() {
                    return Err(BadGrammar::Twice { line, name: name.to_owned() });
                }
                (id, body)
            };
            current = Some(id);
            for alternative in split(body).ok_or(BadGrammar::Braces { line })? {
                let alternative = alternative.trim();
                if !alternative.is_empty() {
                    let pieces = grammar.pieces(alternative, line)?;
                    grammar.rules.get_mut(id).into_iter().for_each(|rule| rule.alternatives.push(pieces.clone()));
                }
            }
        }
        grammar.link()?;
        grammar.refuse_cycles()?;
        Ok(grammar)
    }

    /// The rule of this name.
    pub(super) fn rule(&self, name: &str) -> Option<RuleId> {
        self.names.get(name).copied()
    }

    /// How many domains there are; a scene's domain is below it.
    pub(super) fn domains(&self) -> usize {
        self.domains.len()
    }

    /// Names that nothing reachable from `entries` uses.
    #[cfg(test)]
    pub(super) fn unused(&self, entries: &[&str]) -> Vec<&str> {
        let mut open: Vec<RuleId> = entries.iter().filter_map(|name| self.rule(name)).collect();
        let mut seen = vec![false; self.rules.len()];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id], true) {
                open.extend(self.uses(id));
            }
        }
        self.names.iter().filter(|&(_, &id)| !seen[id]).map(|(name, _)| name.as_str()).collect()
    }

    fn add(&mut self, rule: Rule) -> RuleId {
        self.rules.push(rule);
        self.rules.len() - 1
    }

    /// One alternative; choices written in braces become rules without names.
    fn pieces(&mut self, text: &str, line: usize) -> Result<Vec<Piece>, BadGrammar> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => plain.push(match rest.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => return Err(BadGrammar::Braces { line }),
                }),
                '{' => {
                    let (inner, after) = close(rest.as_str()).ok_or(BadGrammar::Braces { line })?;
                    rest = after.chars();
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(self.slot(inner, line)?);
                }
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(pieces)
    }

    fn slot(&mut self, inner: &str, line: usize) -> Result<Piece, BadGrammar> {
        let choices = split(inner).ok_or(BadGrammar::Braces { line })?;
        if choices.len() > 1 {
            let alternatives: Result<_, _> = choices.into_iter().map(|choice| self.pieces(choice, line)).collect();
            let id = self.add(Rule { alternatives: alternatives? });
            return Ok(Piece::Slot { target: Target::Rule(id), upper: false, key: Key::Fresh });
        }
        let (upper, name) = inner.strip_prefix('^').map_or((false, inner), |name| (true, name));
        let (name, key) = match name.split_once('@') {
            None => (name, Key::Fresh),
            Some((name, key)) if key.starts_with("own") => (name, Key::Owner(key.to_owned())),
            Some((name, key)) => (name, Key::Scene(key.to_owned())),
        };
        if !is_name(name.trim_start_matches('.')) {
            return Err(BadGrammar::Braces { line });
        }
        Ok(Piece::Slot { target: Target::Named(name.to_owned()), upper, key })
    }

    /// Looks every name up.
    fn link(&mut self) -> Result<(), BadGrammar> {
        for domain in self.names.keys().filter_map(|name| name.split_once('.')).map(|(domain, _)| domain) {
            if self.domains.last().is_none_or(|last| last != domain) {
                self.domains.push(domain.to_owned());
            }
        }
        let mut rules = std::mem::take(&mut self.rules);
        for piece in rules.iter_mut().flat_map(|rule| &mut rule.alternatives).flatten() {
            if let Piece::Slot { target, .. } = piece
                && let Target::Named(name) = target
            {
                *target = match name.strip_prefix('.') {
                    Some(local) => Target::Local(self.local(local)?),
                    None => Target::Rule(self.rule(name).ok_or(BadGrammar::Undefined { name: name.clone() })?),
                };
            }
        }
        self.rules = rules;
        match self.names.iter().find(|&(_, &id)| self.rules.get(id).is_none_or(|rule| rule.alternatives.is_empty())) {
            Some((name, _)) => Err(BadGrammar::Undefined { name: name.clone() }),
            None => Ok(()),
        }
    }

    fn local(&mut self, name: &str) -> Result<usize, BadGrammar> {
        if let Some(known) = self.locals.iter().position(|(local, _)| local == name) {
            return Ok(known);
        }
        let in_domain = |domain: &String| {
            let name = format!("{domain}.{name}");
            self.rule(&name).ok_or(BadGrammar::Undefined { name })
        };
        let rules = self.domains.iter().map(in_domain).collect::<Result<_, _>>()?;
        self.locals.push((name.to_owned(), rules));
        Ok(self.locals.len() - 1)
    }

    /// The rules that `rule` names.
    fn uses(&self, rule: RuleId) -> impl Iterator<Item = RuleId> {
        let pieces = self.rules.get(rule).into_iter().flat_map(|rule| rule.alternatives.iter().flatten());
        pieces.flat_map(|piece| match piece {
            Piece::Slot { target: Target::Rule(id), .. } => vec![*id],
            Piece::Slot { target: Target::Local(local), .. } => {
                self.locals.get(*local).map_or(vec![], |(_, rules)| rules.clone())
            }
            Piece::Slot { target: Target::Named(_), .. } | Piece::Text(_) => vec![],
        })
    }

    /// Takes away rules that lead only to rules taken away; what then is left goes in a circle.
    fn refuse_cycles(&self) -> Result<(), BadGrammar> {
        let mut sound = vec![false; self.rules.len()];
        loop {
            let found: Vec<RuleId> = (0..self.rules.len())
                .filter(|&id| sound.get(id) == Some(&false) && self.uses(id).all(|used| sound.get(used) == Some(&true)))
                .collect();
            if found.is_empty() {
                break;
            }
            for id in found {
                sound.get_mut(id).into_iter().for_each(|done| *done = true);
            }
        }
        match self.names.iter().find(|&(_, &id)| sound.get(id) == Some(&false)) {
            Some((name, _)) => Err(BadGrammar::Cycle { name: name.clone() }),
            None => Ok(()),
        }
    }
}

/// What one conversation remembers while its text is drawn.
pub(super) struct Scene<'a> {
    grammar: &'a Grammar,
    owner: u64,
    domain: usize,
    /// Rule, name and text of what is to be repeated.
    said: Vec<(RuleId, &'a str, String)>,
}

/// One piece of an alternative, drawn: whose rule it is, unless its text is fixed.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub rule: Option<RuleId>,
    pub text: String,
}

impl<'a> Scene<'a> {
    /// A scene of `owner`, in a domain below [`Grammar::domains`].
    pub(super) fn new(grammar: &'a Grammar, owner: u64, domain: usize) -> Scene<'a> {
        Scene { grammar, owner, domain, said: Vec::new() }
    }

    /// The rule of this name in the scene's grammar.
    pub(super) fn rule(&self, name: &str) -> Option<RuleId> {
        self.grammar.rule(name)
    }

    /// Lets `{name@given}` be `text`.
    pub(super) fn give(&mut self, name: &str, text: String) {
        if let Some(rule) = self.grammar.rule(name) {
            self.said.retain(|(said, key, _)| *said != rule || *key != "given");
            self.said.push((rule, "given", text));
        }
    }

    /// An expansion of the rule of this name; nothing for a name that there is not.
    pub(super) fn draw<R: Rng>(&mut self, name: &str, rng: &mut R) -> String {
        let mut text = String::new();
        if let Some(rule) = self.grammar.rule(name) {
            self.expand(rule, rng, &mut text);
        }
        text
    }

    /// An expansion of `rule`.
    pub(super) fn draw_rule<R: Rng>(&mut self, rule: RuleId, rng: &mut R) -> String {
        let mut text = String::new();
        self.expand(rule, rng, &mut text);
        text
    }

    /// An expansion in pieces, of the alternative of this number if one is named.
    pub(super) fn parts<R: Rng>(&mut self, name: &str, which: Option<u32>, rng: &mut R) -> Vec<Part> {
        let grammar = self.grammar;
        let rule = grammar.rule(name).and_then(|id| grammar.rules.get(id));
        let pieces = rule.and_then(|rule| match which {
            Some(which) => rule.alternatives.get(which as usize % rule.alternatives.len().max(1)),
            None => pick(rng, &rule.alternatives),
        });
        let pieces = pieces.into_iter().flatten();
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces {
            let rule = match piece {
                Piece::Slot { target: Target::Rule(id), .. } => Some(*id),
                _ => None,
            };
            let mut text = String::new();
            // Rules named twice in a row of instructions should not say the same twice.
            for _ in 0..DRAWS_MAX {
                text.clear();
                self.piece(piece, rng, &mut text);
                if rule.is_none() || parts.iter().all(|part| part.text != text) {
                    break;
                }
            }
            parts.push(Part { rule, text });
        }
        parts
    }

    fn expand<R: Rng>(&mut self, rule: RuleId, rng: &mut R, out: &mut String) {
        let grammar = self.grammar;
        let alternative = grammar.rules.get(rule).and_then(|rule| pick(rng, &rule.alternatives));
        for piece in alternative.into_iter().flatten() {
            self.piece(piece, rng, out);
        }
    }

    fn piece<R: Rng>(&mut self, piece: &'a Piece, rng: &mut R, out: &mut String) {
        let (target, upper, key) = match piece {
            Piece::Text(text) => return out.push_str(text),
            Piece::Slot { target, upper, key } => (target, *upper, key),
        };
        let rule = match target {
            Target::Rule(id) => *id,
            Target::Local(local) => {
                let rules = self.grammar.locals.get(*local).map(|(_, rules)| rules);
                rules.and_then(|rules| rules.get(self.domain)).copied().unwrap_or(RuleId::MAX)
            }
            Target::Named(_) => RuleId::MAX,
        };
        let start = out.len();
        match key {
            Key::Fresh => self.expand(rule, rng, out),
            Key::Owner(key) => {
                let path = [rule as u64, key.bytes().fold(0, |hash, byte| hash * 31 + u64::from(byte))];
                self.expand(rule, &mut stream(mix(self.owner, &[OWN]), &path), out);
            }
            Key::Scene(key) => match self.said.iter().find(|(said, name, _)| *said == rule && name == key) {
                Some((_, _, text)) => out.push_str(text),
                None => {
                    // What goes by another name should be another thing, if there is one.
                    for _ in 0..DRAWS_MAX {
                        out.truncate(start);
                        self.expand(rule, rng, out);
                        let text = out.get(start..).unwrap_or_default();
                        if !self.said.iter().any(|(said, _, known)| *said == rule && known == text) {
                            break;
                        }
                    }
                    let text = out.get(start..).unwrap_or_default().to_owned();
                    self.said.push((rule, key, text));
                }
            },
        }
        if upper {
            let drawn = out.split_off(start);
            let mut chars = drawn.chars();
            out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
            out.push_str(chars.as_str());
        }
    }
}

/// The text up to the brace that closes, and what comes after it.
fn close(text: &str) -> Option<(&str, &str)> {
    let end = top_level(text).find(|&(_, c, depth)| c == '}' && depth == -1)?.0;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Splits at the bars outside braces; none if braces do not match.
fn split(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut last) = (0, 0);
    for (at, c, depth) in top_level(text) {
        last = depth;
        if depth < 0 {
            return None;
        }
        if c == '|' && depth == 0 {
            parts.push(text.get(start..at)?);
            start = at + 1;
        }
    }
    parts.push(text.get(start..)?);
    (last == 0).then_some(parts)
}

/// Characters that are not escaped, each with the depth of braces after it.
fn top_level(text: &str) -> impl Iterator<Item = (usize, char, i32)> {
    let mut escaped = false;
    let mut depth = 0;
    text.char_indices().filter_map(move |(at, c)| {
        if std::mem::take(&mut escaped) {
            return None;
        }
        match c {
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        Some((at, c, depth))
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c))
}

const OWN: u64 = 0x6f77;
/// How often something is drawn again because it was there before.
const DRAWS_MAX: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &str, owner: u64) -> String {
        let grammar = Grammar::parse(source).unwrap();
        Scene::new(&grammar, owner, 0).draw("start", &mut stream(1, &[]))
    }

    #[test]
    fn every_notation_means_what_the_table_says() {
        for (source, expected) in [
            ("start: {^a} b\na: über {one|one}", "Über one b"),
            ("start: {a@x}{a@x}{a@x}\na: {0|1|2|3|4|5|6|7|8|9}{0|1|2|3|4|5|6|7|8|9}", ""),
            ("start: \\{a\\|b\\}\\n\\\\", "{a|b}\n\\"),
            ("start:\n    {.thing}\n\ncook.thing: pan", "pan"),
            ("# comment\nstart: x{ y| y}", "x y"),
        ] {
            let text = drawn(source, 1);
            if expected.is_empty() {
                assert_eq!(text, text[..2].repeat(3));
            } else {
                assert_eq!(text, expected);
            }
        }
    }

    #[test]
    fn what_is_own_depends_on_the_owner_alone() {
        let source = "start: {a@own}{a@own}\na: {0|1|2|3|4|5|6|7|8|9}{0|1|2|3|4|5|6|7|8|9}";
        let texts: std::collections::BTreeSet<String> = (0..20).map(|owner| drawn(source, owner)).collect();
        assert!(texts.len() > 10);
        assert!(texts.iter().all(|text| text[..2] == text[2..]));
    }

    #[test]
    fn bad_grammars_are_refused() {
        for (source, expected) in [
            ("  a", "line 1: expected `name: text` or an indented alternative"),
            ("no rule", "line 1: expected `name: text` or an indented alternative"),
            ("Big: x", "line 1: expected `name: text` or an indented alternative"),
            ("a: x\na: y", "line 2: `a` is defined twice"),
            ("a: {b", "line 1: braces do not match"),
            ("a: b}", "line 1: braces do not match"),
            ("a: {}", "line 1: braces do not match"),
            ("a: b\\", "line 1: braces do not match"),
            ("a: {b}", "`b` is used but not defined"),
            ("a:\nb: x", "`a` is used but not defined"),
            ("a: {.b}\nx.b: 1\ny.c: 1", "`y.b` is used but not defined"),
            ("a: {b}\nb: x{ {a}|}", "`a` leads back to itself"),
        ] {
            assert_eq!(Grammar::parse(source).unwrap_err().to_string(), expected, "{source}");
        }
    }
}
