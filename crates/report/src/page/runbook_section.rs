//! Runbook section: what the runbook says of a reason, as HTML.
//!
//! It reads as much of Markdown as the runbook's sections use: paragraphs, lists of one level, indented code,
//! `code` and **bold**.

use maud::{Markup, PreEscaped, Render as _, html};

use crate::runbook::section;

/// The section about the reason called `reason`, to be unfolded; nothing where there is none.
pub(crate) fn runbook_section(reason: &str) -> Markup {
    let Some(section) = section(reason) else {
        return html! {};
    };
    let (_, text) = section.split_once('\n').unwrap_or_default();
    html! {
        details.runbook {
            summary { "Runbook: " code { (reason) } }
            (to_html(text))
        }
    }
}

/// What the next line may go on with.
enum Open {
    Nothing,
    /// A paragraph with the text so far.
    Paragraph(String),
    Code,
}

struct Writer {
    html: String,
    open: Open,
    in_list: bool,
}

fn to_html(text: &str) -> Markup {
    let mut writer = Writer {
        html: String::with_capacity(text.len() * 2),
        open: Open::Nothing,
        in_list: false,
    };
    for line in text.lines() {
        writer.line(line);
    }
    writer.end_list();
    PreEscaped(writer.html)
}

impl Writer {
    fn line(&mut self, line: &str) {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        // What belongs to an item of a list is indented by two more.
        let code = if self.in_list { 6 } else { 4 };
        if text.is_empty() {
            self.end_block();
        } else if let (0, Some(item)) = (indent, text.strip_prefix("- ")) {
            self.begin_item();
            self.paragraph(item);
        } else if indent >= code && !matches!(self.open, Open::Paragraph(_)) {
            self.code(&line[code..]);
        } else {
            if indent == 0 && !matches!(self.open, Open::Paragraph(_)) {
                self.end_list();
            }
            self.paragraph(text);
        }
    }

    fn begin_item(&mut self) {
        self.end_block();
        self.html.push_str(if self.in_list {
            "</li><li>"
        } else {
            "<ul><li>"
        });
        self.in_list = true;
    }

    fn paragraph(&mut self, line: &str) {
        if let Open::Paragraph(text) = &mut self.open {
            text.push(' ');
            text.push_str(line);
        } else {
            self.end_block();
            self.open = Open::Paragraph(line.to_owned());
        }
    }

    fn code(&mut self, line: &str) {
        if matches!(self.open, Open::Code) {
            self.html.push('\n');
        } else {
            self.html.push_str("<pre class=\"command\"><code>");
            self.open = Open::Code;
        }
        line.render_to(&mut self.html);
    }

    fn end_block(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Paragraph(text) => {
                self.html.push_str("<p>");
                inline(&text, &mut self.html);
                self.html.push_str("</p>");
            }
            Open::Code => self.html.push_str("</code></pre>"),
        }
    }

    fn end_list(&mut self) {
        self.end_block();
        if std::mem::take(&mut self.in_list) {
            self.html.push_str("</li></ul>");
        }
    }
}

/// Writes a paragraph's text. Marks begin and end in turns: backticks hold code, in which stars are stars.
fn inline(text: &str, html: &mut String) {
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            html! { code { (part) } }.render_to(html);
            continue;
        }
        for (index, part) in part.split("**").enumerate() {
            if index % 2 == 1 {
                html! { strong { (part) } }.render_to(html);
            } else {
                for (index, part) in part.split('*').enumerate() {
                    if index % 2 == 1 {
                        html! { em { (part) } }.render_to(html);
                    } else {
                        part.render_to(html);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::reason::Reason;

    use super::*;

    #[test]
    fn a_section_keeps_its_paragraphs_lists_and_commands() {
        let text = "Do *this* <now>.\n\n**Fix.** It is `a\nb` or `*.c`:\n\n- One\n  goes on.\n- CLI:\n\n      \
                    az a \\\n        --b\n\n- Two.\n\nAfter:\n\n    dig x\n    dig y\n";
        let expected = "<p>Do <em>this</em> &lt;now&gt;.</p>\
            <p><strong>Fix.</strong> It is <code>a b</code> or <code>*.c</code>:</p>\
            <ul><li><p>One goes on.</p></li><li><p>CLI:</p>\
            <pre class=\"command\"><code>az a \\\n  --b</code></pre></li><li><p>Two.</p></li></ul>\
            <p>After:</p><pre class=\"command\"><code>dig x\ndig y</code></pre>";
        assert_eq!(to_html(text).into_string(), expected);
    }

    #[test]
    fn every_section_is_read_whole() {
        for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Ok) {
            let html = runbook_section(reason.as_str()).into_string();
            for element in ["p", "ul", "li", "pre", "code", "strong", "em"] {
                let opened = html.matches(&format!("<{element}>")).count()
                    + html.matches(&format!("<{element} ")).count();
                assert_eq!(
                    opened,
                    html.matches(&format!("</{element}>")).count(),
                    "{reason}"
                );
            }
            // Marks that were not understood.
            let text: String = html
                .split("<code>")
                .map(|part| part.split_once("</code>").map_or(part, |(_, text)| text))
                .collect();
            for mark in ['`', '*', '[', '|'] {
                assert!(!text.contains(mark), "{reason}: {mark}: {text}");
            }
        }
        assert_eq!(runbook_section("no_such_reason").into_string(), "");
    }
}
