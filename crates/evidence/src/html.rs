//! A document as a page: one file, without scripts, pictures or anything from elsewhere.

use crate::document::{Block, Document};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.8rem}h2{margin-top:2.2rem;border-bottom:1px solid #bbb}h3{margin-top:1.4rem}h4{margin:1rem 0 -.6rem}\
table{border-collapse:collapse;width:100%;font-size:.85rem}th,td{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
th{background:#f2f2f2}.note{border-left:4px solid #8a6d00;background:#fff8e1;padding:.6rem 1rem}\
.blank{border-bottom:1px solid #444;min-height:2.2rem;margin-top:.3rem}.for{font-size:.85rem;color:#444}code{font-size:.9em}\
@media print{body{max-width:none;margin:0;font-size:11pt}h2,h3{break-after:avoid}tr{break-inside:avoid}}";

/// The page.
#[must_use]
pub fn page(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    document.blocks.iter().for_each(|block| draw(block, &mut out));
    out + "</body></html>\n"
}

fn draw(block: &Block, out: &mut String) {
    match block {
        Block::Heading(1, text) => *out += &format!("<h2>{}</h2>\n", escaped(text)),
        Block::Heading(2, text) => *out += &format!("<h3>{}</h3>\n", escaped(text)),
        Block::Heading(_, text) => *out += &format!("<h4>{}</h4>\n", escaped(text)),
        Block::Text(text) => *out += &format!("<p>{}</p>\n", marked(text)),
        Block::Note(text) => *out += &format!("<p class=\"note\">{}</p>\n", marked(text)),
        Block::List(items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", marked(item))).collect();
            *out += &format!("<ul>\n{items}</ul>\n");
        }
        Block::Table(names, widths, rows) => {
            let columns: String = widths.iter().map(|width| format!("<col style=\"width:{width}%\">")).collect();
            let head: String = names.iter().map(|name| format!("<th>{}</th>", escaped(name))).collect();
            let row = |row: &Vec<String>| {
                let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
                format!("<tr>{cells}</tr>\n")
            };
            let rows: String = rows.iter().map(row).collect();
            *out += &format!(
                "<table><colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>\n"
            );
        }
        Block::Blank(what) => {
            *out += &format!("<div class=\"blank\"></div><div class=\"for\">{}</div>\n", escaped(what));
        }
    }
}

/// Text with what stands between backticks as code.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let closed = text.matches('`').count().is_multiple_of(2);
    if !closed {
        return escaped(text);
    }
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) })
        .collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_no_markup() {
        let hostile = "<script>alert(1)</script> `\"><img src=x onerror=1>` & 'x'".to_owned();
        let blocks = vec![
            Block::Heading(1, hostile.clone()),
            Block::Text(hostile.clone()),
            Block::List(vec![hostile.clone()]),
            Block::Table(vec!["x"], vec![100], vec![vec![hostile.clone()]]),
        ];
        let page = page(&Document { title: hostile, blocks });
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    }
}
