//! The end of a hunt on the terminal.
//!
//! Promises an answer in the first sentence, then what supports it, then what was looked at and let go, what could not
//! be seen, and what to do next. Whatever came from outside is shown without control and formatting characters, so that
//! no prompt or account name can move the cursor, change colours or reverse a line; an escape sequence stays visible as
//! inert text. Bounded by the numbers in [`limits`]: a report has the rest.

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets::NOTHING};
use detect::Kind;
use findings::{Campaign, Cleared, Findings, Member};
use terminal::measure_text_width;

use policy::price::Prices;
use report::words::{
    self, confidence, counted, grouped, members, minute, one_or_many, power, printable, verdict, words,
};

/// How much is shown.
mod limits {
    /// Narrower terminals get lines of this many columns.
    pub(super) const WIDTH_MIN: usize = 40;
    /// Wider ones get lines of this many: longer sentences are hard to read.
    pub(super) const WIDTH_MAX: usize = 140;
    /// Capabilities of each campaign.
    pub(super) const CAPABILITIES: usize = 3;
    /// Sentences of evidence for each campaign: more than there are families of signals.
    pub(super) const EVIDENCE: usize = 12;
    /// Models named for each campaign.
    pub(super) const MODELS: usize = 4;
    /// Accounts named for each campaign.
    pub(super) const ACCOUNTS: usize = 3;
    /// Cleared groups, blind spots and reached limits, of each.
    pub(super) const LINES: usize = 5;
    /// Characters of a sentence.
    pub(super) const SENTENCE_CHARS: usize = 400;
    /// Characters of an identifier, which is never broken.
    pub(super) const ID_CHARS: usize = report::words::ID_CHARS_MAX;
    /// Characters of the label of a cleared group.
    pub(super) const LABEL_CHARS: usize = 32;
}

/// All that a person needs to see at once, in lines of about `width` columns, with ANSI colours if `colour`.
pub(crate) fn render(
    findings: &Findings,
    prices: Option<&Prices>,
    read: &[String],
    width: usize,
    colour: bool,
) -> String {
    let width = width.clamp(limits::WIDTH_MIN, limits::WIDTH_MAX);
    let mut page = Page { text: String::new(), width, colour };
    let nothing_read = findings.population.exchanges == 0;
    let verdict = if findings.campaigns.is_empty() && !nothing_read { GOOD } else { BAD };
    page.styled(verdict, |page| page.paragraph(&self::verdict(findings)));
    if !findings.campaigns.is_empty() {
        page.text.push('\n');
        page.campaigns(&findings.campaigns, prices);
    } else if !nothing_read {
        page.heading("Looked at");
        page.items(looked_at(findings).iter().map(String::as_str));
    }
    page.cleared(&findings.cleared);
    page.list("What was read", read);
    page.list("Could not be seen", &findings.blind_spots);
    page.list("Limits reached", &findings.limits_reached);
    if !findings.guarantee.text.is_empty() {
        page.heading("How sure this is");
        page.items([findings.guarantee.text.as_str()]);
    }
    page.heading("Next");
    page.next(findings);
    page.text
}

fn looked_at(findings: &Findings) -> Vec<String> {
    let population = &findings.population;
    let mut lines = vec![
        format!("{} of {}", counted(population.exchanges, "exchange"), counted(population.accounts, "account")),
        format!("{} that may be behind them, each with one account or several", counted(population.payers, "payer")),
        format!(
            "{} that several payers send, {} tested",
            one_or_many(population.clusters, "shared text", "shared texts"),
            one_or_many(findings.guarantee.hypotheses, "hypothesis", "hypotheses")
        ),
    ];
    if population.late > 0 {
        lines.push(format!("{} too late to be put in order", counted(population.late, "exchange")));
    }
    lines
}

/// What is written so far.
struct Page {
    text: String,
    width: usize,
    colour: bool,
}

impl Page {
    fn campaigns(&mut self, campaigns: &[Campaign], prices: Option<&Prices>) {
        let header = CAMPAIGN_COLUMNS.map(|column| column.title.to_owned());
        let rows: Vec<_> = campaigns.iter().map(campaign_row).collect();
        let widths = column_widths(&header, &rows, self.width);
        if let Some(widths) = &widths {
            self.styled(DIM, |page| page.row(&header, widths));
        }
        for (campaign, row) in campaigns.iter().zip(&rows) {
            self.styled(STRONG, |page| match &widths {
                Some(widths) => page.row(row, widths),
                None => page.column(row),
            });
            self.support(campaign, prices);
        }
    }

    /// A campaign where the terminal is too narrow for a table: each of its columns in a line.
    fn column(&mut self, row: &[String; COLUMNS]) {
        for (at, (column, text)) in CAMPAIGN_COLUMNS.iter().zip(row).enumerate() {
            if at == 0 {
                self.paragraph(text);
            } else {
                self.cells(&[("", 2), (column.title, 12), (text, self.width - 14)]);
            }
        }
    }

    /// What stands below a campaign: its evidence, what it took, and its surest accounts.
    fn support(&mut self, campaign: &Campaign, prices: Option<&Prices>) {
        for judgement in &campaign.judgements {
            self.entry("verdict", &words::judgement(judgement));
        }
        let mut evidence: Vec<_> = campaign.evidence.iter().filter(|evidence| evidence.log10_e > 0.0).collect();
        evidence.sort_by(|a, b| b.counts.cmp(&a.counts).then(b.log10_e.total_cmp(&a.log10_e)));
        for evidence in evidence.iter().take(limits::EVIDENCE) {
            let weight = if evidence.counts { power(evidence.log10_e) } else { NOT_COUNTED.to_owned() };
            self.entry(&weight, &evidence.text);
        }
        if let Some(more @ 1..) = evidence.len().checked_sub(limits::EVIDENCE) {
            self.entry("", &format!("and {} more", grouped(more as u64)));
        }
        if let Some(tokens) = words::tokens(campaign) {
            self.entry("taken", &tokens);
            if let Some(prices) = prices {
                self.entry("cost", &words::cost(campaign, prices));
            }
        }
        if let Some(models) = words::models(campaign, limits::MODELS) {
            self.entry("model", &models);
        }
        for (title, kind) in [("client", Kind::Software.name()), ("settings", Kind::Params.name())] {
            if let Some(sharing) = words::sharing(campaign, kind) {
                self.entry(title, &sharing);
            }
        }
        if campaign.further_wordings > 0 {
            let wordings = counted(campaign.further_wordings, "further wording");
            self.entry("besides", &format!("{wordings} of the same accounts or the same template"));
        }
        if let Some(mixed) = words::mostly_other(campaign) {
            self.entry("mixed", &mixed);
        }
        let name = |member: &Member| {
            let account = printable(&member.account, limits::ID_CHARS);
            match words::is_mostly_other(member) {
                true => format!("{account} ({} of its own)", words::percent(words::own_share(member))),
                false => account,
            }
        };
        let named: Vec<String> = words::sure(campaign).take(limits::ACCOUNTS).map(name).collect();
        let more = match members(campaign).count() - named.len() {
            0 => String::new(),
            rest => format!(" and {} more", grouped(rest as u64)),
        };
        if !named.is_empty() {
            self.cells(&[("", 2), ("accounts", 10), (&format!("{}{more}", named.join(", ")), self.width - 12)]);
        }
        self.text.push('\n');
    }

    fn cleared(&mut self, cleared: &[Cleared]) {
        if cleared.is_empty() {
            return;
        }
        self.trim_blank();
        self.heading("Groups that were not reported, and why");
        for group in cleared.iter().take(limits::LINES) {
            let accounts = counted(group.accounts, "account");
            let line = format!(
                "\"{}\", {}: {}",
                printable(&group.label, limits::LABEL_CHARS),
                counted(group.exchanges, "exchange"),
                printable(&group.reason, limits::SENTENCE_CHARS),
            );
            self.cells(&[("-", 2), (&accounts, 16), (&line, self.width - 18)]);
        }
        self.rest(cleared.len());
    }

    fn list(&mut self, heading: &str, sentences: &[String]) {
        if !sentences.is_empty() {
            self.trim_blank();
            self.heading(heading);
            self.items(sentences.iter().take(limits::LINES).map(String::as_str));
            self.rest(sentences.len());
        }
    }

    fn next(&mut self, findings: &Findings) {
        if !findings.campaigns.is_empty() {
            self.items([
                "`--report FILE.html` writes the evidence, exchanges and accounts, for review before any action",
                "`--accounts-out FILE.csv` writes every account of every campaign",
                "`--campaigns-out FILE` writes the campaigns as JSON Lines, for other tools",
            ]);
        } else if findings.population.exchanges > 0 {
            self.items(["`--report FILE.html` writes what was looked at and why groups were cleared"]);
        } else {
            self.items(["check the paths, and the lines that could not be read"]);
        }
    }

    fn heading(&mut self, text: &str) {
        self.trim_blank();
        self.text.push('\n');
        self.styled(STRONG, |page| page.paragraph(text));
    }

    fn items<'t>(&mut self, sentences: impl IntoIterator<Item = &'t str>) {
        for sentence in sentences {
            self.cells(&[("-", 2), (&printable(sentence, limits::SENTENCE_CHARS), self.width - 2)]);
        }
    }

    /// How many there are beyond those shown.
    fn rest(&mut self, all: usize) {
        if let Some(rest @ 1..) = all.checked_sub(limits::LINES) {
            self.items([format!("and {} more", grouped(rest as u64)).as_str()]);
        }
    }

    /// A sentence below a campaign, with what it counts before it.
    fn entry(&mut self, weight: &str, sentence: &str) {
        let sentence = printable(sentence, limits::SENTENCE_CHARS);
        self.cells(&[("", 2), (weight, 10), (&sentence, self.width - 12)]);
    }

    fn paragraph(&mut self, text: &str) {
        self.cells(&[(text, self.width)]);
    }

    /// Cells of fixed widths, which include the gap to the next cell.
    fn cells(&mut self, cells: &[(&str, usize)]) {
        let wrapped: Vec<Vec<String>> = cells
            .iter()
            .enumerate()
            .map(|(at, (text, width))| wrap(text, width - usize::from(at + 1 < cells.len())))
            .collect();
        for line in 0..wrapped.iter().map(Vec::len).max().unwrap_or(0) {
            let mut text = String::new();
            for (cell, (_, width)) in wrapped.iter().zip(cells) {
                let cell = cell.get(line).map_or("", String::as_str);
                text.push_str(cell);
                text.push_str(&" ".repeat(width.saturating_sub(measure_text_width(cell))));
            }
            self.text.push_str(text.trim_end());
            self.text.push('\n');
        }
    }

    fn row(&mut self, cells: &[String; COLUMNS], widths: &Widths) {
        let cells =
            CAMPAIGN_COLUMNS.iter().zip(cells).map(|(column, text)| Cell::new(text).set_alignment(column.alignment));
        self.table(Row::from(cells.collect::<Vec<_>>()), &widths.columns, widths.gap);
    }

    fn table(&mut self, row: Row, widths: &[usize], gap: u16) {
        let mut table = Table::new();
        table.load_style(NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(self.width + usize::from(gap)).unwrap_or(u16::MAX)).add_row(row);
        for (column, width) in table.column_iter_mut().zip(widths) {
            let width = u16::try_from(*width).unwrap_or(u16::MAX);
            column.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
        }
        self.text.push_str(&table.trim_fmt());
        self.text.push('\n');
    }

    /// Writes what `write` writes in a style, line by line: a style never reaches over the end of a line.
    fn styled(&mut self, style: Style, write: impl FnOnce(&mut Page)) {
        let start = self.text.len();
        write(self);
        if self.colour {
            let plain = self.text.split_off(start);
            for line in plain.lines() {
                self.text.push_str(&format!("{style}{line}{style:#}\n"));
            }
        }
    }

    /// Takes back an empty line at the end, where a heading brings its own.
    fn trim_blank(&mut self) {
        if self.text.ends_with("\n\n") {
            self.text.pop();
        }
    }
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// What stands for the weight of a signal that does not count towards the threshold.
const NOT_COUNTED: &str = "–";

const COLUMNS: usize = 7;

/// A column of the table of campaigns.
struct Column {
    title: &'static str,
    alignment: CellAlignment,
}

const CAMPAIGN_COLUMNS: [Column; COLUMNS] = [
    Column { title: "campaign", alignment: CellAlignment::Left },
    Column { title: "accounts", alignment: CellAlignment::Right },
    Column { title: "exchanges", alignment: CellAlignment::Right },
    Column { title: "first seen", alignment: CellAlignment::Left },
    Column { title: "last seen", alignment: CellAlignment::Left },
    Column { title: "takes", alignment: CellAlignment::Left },
    Column { title: "confidence", alignment: CellAlignment::Left },
];

struct Widths {
    columns: Vec<usize>,
    gap: u16,
}

/// The widths of the columns' contents: all that is needed, or else the widest gives way down to its longest word, and
/// at last the gaps; none where words would be broken.
fn column_widths(header: &[String; COLUMNS], rows: &[[String; COLUMNS]], width: usize) -> Option<Widths> {
    let mut columns = vec![0; COLUMNS];
    let mut least = [0; COLUMNS];
    for row in std::iter::once(header).chain(rows) {
        for ((column, least), cell) in columns.iter_mut().zip(&mut least).zip(row) {
            *column = cell.chars().count().max(*column);
            *least = cell.split(' ').map(|word| word.chars().count()).fold(*least, usize::max);
        }
    }
    let gap = 2;
    let room = width.saturating_sub(usize::from(gap) * (COLUMNS - 1));
    while columns.iter().sum::<usize>() > room {
        let wrapping = columns.iter_mut().zip(least).filter(|(column, least)| **column > *least);
        match wrapping.map(|(column, _)| column).max() {
            Some(widest) => *widest -= 1,
            None => {
                let gap = 1;
                let needed = columns.iter().sum::<usize>() + usize::from(gap) * (COLUMNS - 1);
                return (needed <= width).then_some(Widths { columns, gap });
            }
        }
    }
    Some(Widths { columns, gap })
}

/// A text in lines of at most `width` columns, broken between words: a word that is wider has a line of its own, whole, so that
/// an id can be copied. Only where a script has no spaces is it broken between characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let (has, needs) = (measure_text_width(&line), measure_text_width(word));
        if has > 0 && has + 1 + needs > width {
            lines.push(std::mem::take(&mut line));
        } else if has > 0 {
            line.push(' ');
        }
        if needs <= width || !word.chars().any(is_wide) {
            line.push_str(word);
            continue;
        }
        for c in word.chars() {
            if measure_text_width(&line) + measure_text_width(c.encode_utf8(&mut [0; 4])) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// Whether a character takes two columns, as those of scripts without spaces do.
fn is_wide(c: char) -> bool {
    measure_text_width(c.encode_utf8(&mut [0; 4])) > 1
}

fn campaign_row(campaign: &Campaign) -> [String; COLUMNS] {
    let shown = campaign.capabilities.iter().take(limits::CAPABILITIES);
    let mut takes = shown.map(|capability| words(*capability)).collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = campaign.capabilities.len().checked_sub(limits::CAPABILITIES) {
        takes.push_str(&format!(" and {more} more"));
    }
    [
        printable(&campaign.id, limits::ID_CHARS),
        grouped(members(campaign).count() as u64),
        grouped(campaign.exchanges),
        minute(campaign.first_seen),
        minute(campaign.last_seen),
        if takes.is_empty() { "not known".to_owned() } else { takes },
        confidence(campaign.log10_e),
    ]
}

#[cfg(test)]
#[path = "../../report/tests/fixtures/findings.rs"]
pub(crate) mod fixtures;

#[cfg(test)]
mod tests {
    use super::*;
    use findings::Capability;
    use report::words::is_format;

    /// Columns that a terminal needs for a line of letters, CJK and combining characters as the fixtures have them.
    fn columns(line: &str) -> usize {
        line.chars().map(|c| if matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}') { 2 } else { 1 }).sum()
    }

    /// Whether all but one word of a line is what stands before it: an id too long for any line.
    fn is_one_word(line: &str) -> bool {
        line.split_whitespace()
            .last()
            .is_some_and(|word| columns(line) - columns(word) <= 18 && !word.chars().any(is_wide))
    }

    #[test]
    fn ids_are_whole_up_to_their_limit() {
        for (length, whole) in [(40, true), (200, true), (limits::ID_CHARS, true), (limits::ID_CHARS + 1, false)] {
            let mut findings = fixtures::three_campaigns();
            let id = "x".repeat(length);
            findings.campaigns[0].accounts[0].account.clone_from(&id);
            for width in [60, 80, 140] {
                let text = render(&findings, None, &[], width, false);
                let told = text.lines().any(|line| line.split([' ', ',']).any(|word| word == id));
                assert_eq!(told, whole, "{text}");
            }
        }
    }

    #[test]
    fn lines_break_between_words_only() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a identifier b", 4), ["a", "identifier", "b"]);
        assert_eq!(wrap("数据集合", 4), ["数据", "集合"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn findings_on_narrow_and_wide_terminals() {
        for width in [60, 80, 140] {
            insta::assert_snapshot!(
                format!("campaigns_{width}"),
                render(&fixtures::three_campaigns(), None, &[], width, false)
            );
            insta::assert_snapshot!(format!("none_{width}"), render(&fixtures::quiet(), None, &[], width, false));
            insta::assert_snapshot!(format!("hostile_{width}"), render(&fixtures::hostile(), None, &[], width, false));
        }
        insta::assert_snapshot!("nothing_read", render(&Findings::default(), None, &[], 80, false));
    }

    #[test]
    fn lines_fit_whatever_the_findings_and_the_width() {
        for findings in [fixtures::three_campaigns(), fixtures::quiet(), Findings::default()] {
            for width in 0..200 {
                let least = width.clamp(limits::WIDTH_MIN, limits::WIDTH_MAX);
                for line in render(&findings, None, &[], width, false).lines() {
                    assert!(columns(line) <= least || is_one_word(line), "{line} at {width}");
                }
            }
        }
        for width in [80, 140] {
            for line in render(&fixtures::hostile(), None, &[], width, false).lines() {
                assert!(columns(line) <= width || is_one_word(line), "{line} at {width}");
            }
        }
    }

    #[test]
    fn nothing_from_outside_reaches_the_terminal_as_a_command() {
        let plain = render(&fixtures::hostile(), None, &[], 80, false);
        assert!(!plain.contains(|c: char| (c.is_control() && c != '\n') || is_format(c)), "{plain:?}");
        let styled = render(&fixtures::hostile(), None, &[], 80, true);
        let ours = [GOOD, BAD, STRONG, DIM].iter().fold(styled, |text, style| text.replace(&style.to_string(), ""));
        assert_eq!(ours.replace("\u{1b}[0m", ""), plain);
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let styled = render(&fixtures::three_campaigns(), None, &[], 100, true);
        assert!(styled.starts_with(&BAD.to_string()));
        for line in styled.lines() {
            assert_eq!(line.contains('\u{1b}'), line.ends_with("\u{1b}[0m"), "{line:?}");
        }
        assert!(render(&fixtures::quiet(), None, &[], 100, true).starts_with(&GOOD.to_string()));
    }

    #[test]
    fn printable_cuts_at_the_limit_and_not_before() {
        let cases = [
            ("abc", "abc"),
            ("abcd", "abcd"),
            ("abcde", "abc…"),
            ("a b c", "a b…"),
            ("ab c", "ab c"),
            ("abc d", "abc…"),
            ("  a\t\n b  ", "a b"),
            ("a\u{1b}[m", "a\u{fffd}[m"),
            ("\u{202e}a\u{200b}b\u{feff}", "ab"),
            ("", ""),
            ("\u{85}\u{a0}", ""),
            ("数据集合", "数据集合"),
            ("数据集合一", "数据集…"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text, 4), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_beyond_a_limit_is_counted() {
        let mut findings = fixtures::three_campaigns();
        let shown = |findings: &Findings| render(findings, None, &[], 140, false);
        let first = findings.campaigns[0].clone();
        let group = findings.cleared[0].clone();
        for more in [0, 1] {
            let mut campaign = first.clone();
            campaign.accounts.truncate(limits::ACCOUNTS + more);
            campaign.capabilities = Capability::ALL[..limits::CAPABILITIES + more].to_vec();
            campaign.evidence = vec![campaign.evidence[0].clone(); limits::EVIDENCE + more];
            campaign.evidence.iter_mut().for_each(|evidence| evidence.counts = true);
            findings.campaigns = vec![campaign];
            findings.cleared = vec![group.clone(); limits::LINES + more];
            findings.blind_spots = vec!["A blind spot.".to_owned(); limits::LINES + more];
            findings.limits_reached = Vec::new();
            let text = shown(&findings);
            assert_eq!(text.contains("training data and 1 more"), more == 1, "{text}");
            assert_eq!(text.contains("acc_7f_002 and 1 more"), more == 1, "{text}");
            assert_eq!(text.matches("- and 1 more\n").count(), 2 * more, "{text}");
            assert_eq!(text.matches("            and 1 more\n").count(), more, "{text}");
            assert_eq!(text.matches("10^6.1").count(), limits::EVIDENCE, "{text}");
            assert_eq!(text.matches("one tool that all").count(), limits::LINES, "{text}");
            assert_eq!(text.matches("A blind spot.").count(), limits::LINES, "{text}");
        }
    }

    #[test]
    fn confidence_is_never_overstated() {
        let cases = [
            (f64::INFINITY, "overwhelming"),
            (14.97, "overwhelming (10^14)"),
            (8.0, "overwhelming (10^8)"),
            (7.99, "very strong (10^7)"),
            (4.0, "very strong (10^4)"),
            (3.99, "strong (10^3)"),
            (2.0, "strong (10^2)"),
            (1.99, "weak (10^1)"),
            (0.0, "weak (10^0)"),
            (-0.5, "none (10^-1)"),
            (f64::NAN, "not known"),
        ];
        for (log10_e, expected) in cases {
            assert_eq!(confidence(log10_e), expected, "{log10_e}");
        }
    }
}
