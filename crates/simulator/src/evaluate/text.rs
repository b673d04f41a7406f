//! An evaluation for the terminal: plain text, columns by spaces, no colour, so that it reads the same in a log file.
//!
//! Names come from files and are shown without anything a terminal would act on. Lines keep to the width asked for down
//! to [`WIDTH_MIN`]; in columns, names give way before numbers do.

use super::score::{Evaluation, FOUND_PURITY_MIN, FOUND_RECALL_MIN};

/// The narrowest terminal that is written for.
pub const WIDTH_MIN: usize = 72;

impl Evaluation {
    /// The evaluation as text of lines of at most `width` columns, but never less than [`WIDTH_MIN`].
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let width = width.max(WIDTH_MIN);
        let mut text = wrap(&self.verdict(), width);
        if !self.campaigns.is_empty() {
            text.push('\n');
            text.push_str(&self.campaigns_text(width));
            text.push_str(&wrap(&legend(), width));
        }
        if !self.roles.is_empty() {
            text.push_str("\nFalse positives by kind of honest user\n");
            text.push_str(&self.roles_text(width));
        }
        if !self.unmatched.is_empty() {
            text.push_str("\nFindings by which no campaign counts as found\n");
            text.push_str(&self.unmatched_text(width));
        }
        text
    }

    fn verdict(&self) -> String {
        let accounts = &self.accounts;
        let found = match self.campaigns.len() {
            0 => "No campaign is labelled.".to_owned(),
            labelled => format!("Found {} of {}", self.found, counted(labelled as u64, "campaign")),
        };
        let time = match (self.time_to_detect, self.campaigns.len()) {
            (_, 0) => String::new(),
            (None, _) => ".".to_owned(),
            (Some(share), _) => format!(", at the median after {} of a campaign's exchanges.", percent(Some(share))),
        };
        let precision = match accounts.precision {
            None => "no account was flagged".to_owned(),
            precision => format!(
                "precision {} ({} of {} flagged)",
                percent(precision),
                grouped(accounts.correct),
                grouped(accounts.flagged)
            ),
        };
        let recall = match accounts.recall {
            None => "none is labelled as part of a campaign".to_owned(),
            recall => format!(
                "recall {} ({} of {} labelled)",
                percent(recall),
                grouped(accounts.correct),
                grouped(accounts.labelled)
            ),
        };
        let exchanges = match &self.exchanges {
            Some(exchanges) if exchanges.told > 0 => format!(
                "\nExchanges among cover: precision {} ({} of {} told), recall {} ({} of {} labelled).",
                percent(exchanges.precision),
                grouped(exchanges.correct),
                grouped(exchanges.told),
                percent(exchanges.recall),
                grouped(exchanges.correct),
                grouped(exchanges.labelled)
            ),
            _ => String::new(),
        };
        format!("{found}{time}\nAccounts: {precision}, {recall}. Grouping (ARI): {:.3}.{exchanges}", self.grouping_ari)
    }

    fn campaigns_text(&self, width: usize) -> String {
        let columns = [
            Column::Left("campaign"),
            Column::Left("found"),
            Column::Right("accounts"),
            Column::Right("exchanges"),
            Column::Right("recall"),
            Column::Right("purity"),
            Column::Right("time"),
            Column::Left("finding"),
        ];
        let rows = self.campaigns.iter().map(|campaign| {
            vec![
                printable(&campaign.campaign),
                if campaign.found { "yes" } else { "no" }.to_owned(),
                grouped(campaign.accounts),
                grouped(campaign.exchanges),
                percent(Some(campaign.recall)),
                percent(campaign.purity),
                percent(campaign.time_to_detect),
                campaign.finding.as_deref().map_or_else(|| ABSENT.to_owned(), printable),
            ]
        });
        table(&columns, rows.collect(), width)
    }

    fn roles_text(&self, width: usize) -> String {
        let columns =
            [Column::Left("role"), Column::Right("flagged"), Column::Right("accounts"), Column::Right("share")];
        let rows = self.roles.iter().map(|role| {
            vec![printable(&role.role), grouped(role.flagged), grouped(role.accounts), percent(Some(role.share))]
        });
        table(&columns, rows.collect(), width)
    }

    fn unmatched_text(&self, width: usize) -> String {
        let columns = [
            Column::Left("finding"),
            Column::Right("accounts"),
            Column::Right("purity"),
            Column::Left("closest campaign"),
        ];
        let rows = self.unmatched.iter().map(|finding| {
            let closest = finding.closest.as_deref().map_or_else(|| ABSENT.to_owned(), printable);
            vec![printable(&finding.finding), grouped(finding.accounts), percent(Some(finding.purity)), closest]
        });
        table(&columns, rows.collect(), width)
    }
}

fn legend() -> String {
    let percent = |(numerator, denominator)| numerator * 100 / denominator;
    format!(
        "found: at least {} % of its accounts in one finding that is at least {} % its own; time: share of its \
         exchanges that had happened at detection",
        percent(FOUND_RECALL_MIN),
        percent(FOUND_PURITY_MIN)
    )
}

/// What stands where a number does not exist.
const ABSENT: &str = "-";
/// A name keeps at least this many characters of a column.
const NAME_CHARS_MIN: usize = 8;
/// A name is cut at this many characters wherever there is room.
const NAME_CHARS_MAX: usize = 40;
const GAP: &str = "  ";

/// A column with its title: names stand left, numbers right.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    Left(&'static str),
    Right(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Column::Left(title) | Column::Right(title) => title,
        }
    }

    fn pad(self, cell: &str, width: usize) -> String {
        match self {
            Column::Left(_) => format!("{:<width$}", cut(cell, width)),
            Column::Right(_) => format!("{cell:>width$}"),
        }
    }
}

/// Rows under titles, the widest column of names narrowed until a line fits.
pub(crate) fn table(columns: &[Column], rows: Vec<Vec<String>>, width: usize) -> String {
    let titles = columns.iter().map(|column| column.title().to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    let cell_chars = |row: &Vec<String>, index| row.get(index).map_or(0, |cell: &String| cell.chars().count());
    let mut widths: Vec<usize> =
        (0..columns.len()).map(|index| rows.iter().map(|row| cell_chars(row, index)).max().unwrap_or(0)).collect();

    while widths.iter().sum::<usize>() + GAP.len() * columns.len().saturating_sub(1) > width {
        let names = columns.iter().zip(&mut widths).filter(|(column, _)| matches!(column, Column::Left(_)));
        match names.map(|(_, width)| width).max() {
            Some(widest) if *widest > NAME_CHARS_MIN => *widest -= 1,
            _ => break,
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            columns.iter().zip(&widths).zip(&row).map(|((column, width), cell)| column.pad(cell, *width)).collect();
        text.push_str(cells.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// Paragraphs broken between words.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    for paragraph in text.lines() {
        let mut column = 0;
        for word in paragraph.split_whitespace() {
            let chars = word.chars().count();
            if column > 0 && column + 1 + chars > width {
                wrapped.push('\n');
                column = 0;
            } else if column > 0 {
                wrapped.push(' ');
                column += 1;
            }
            wrapped.push_str(word);
            column += chars;
        }
        wrapped.push('\n');
    }
    wrapped
}

/// A name from outside, without anything that a terminal acts on or that reorders a line.
pub(crate) fn printable(name: &str) -> String {
    let escaped = name.chars().take(NAME_CHARS_MAX + 1).flat_map(|c| {
        let plain = matches!(c, '"' | '\'' | '\\');
        let escape = (!plain).then(|| c.escape_debug());
        plain.then_some(c).into_iter().chain(escape.into_iter().flatten())
    });
    cut(&escaped.collect::<String>(), NAME_CHARS_MAX)
}

/// The beginning of a text, with an ellipsis where something is left off.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// A share as per cent.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| ABSENT.to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}
