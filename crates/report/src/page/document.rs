//! Document: what every page has around its content: its title and icon, the style and the script. It loads
//! nothing, so that it is whole as soon as it is there, and as a file too.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::version::VERSION;

/// The style of all pages.
pub const STYLE: &str = include_str!("style.css");

/// The script of all pages, without which they are whole: it brings in what changed without loading the
/// page again, filters at once, and copies commands.
pub const SCRIPT: &str = include_str!("script.js");

/// Seconds between two updates of a page.
pub const EVERY: u32 = 10;

/// A page that updates itself. `state` is that of its icon.
pub fn document(title: &str, state: &str, body: &Markup) -> Markup {
    let head = html! {
        link rel="icon" href=(icon(state));
        noscript { meta http-equiv="refresh" content=(EVERY); }
    };
    let body = html! {
        body data-every=(EVERY) data-version=(VERSION) {
            (body)
            script { (PreEscaped(SCRIPT)) }
        }
    };
    around(title, &head, &body)
}

/// A page that stays as it is, as a file.
pub(crate) fn file(title: &str, body: &Markup) -> Markup {
    around(title, &html! {}, &html! { body { (body) } })
}

fn around(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                (head)
                style { (PreEscaped(STYLE)) }
            }
            (body)
        }
    }
}

/// The icon of a state as a data URL (RFC 2397): a disc, in which a failure has a cross and a warning a bar.
fn icon(state: &str) -> String {
    let (colour, inside) = match state {
        "fail" => ("c0362c", "M5 5l6 6M11 5l-6 6"),
        "warn" => ("b07a00", "M8 4v5M8 11v1"),
        "pass" => ("2e7d4f", "M4.5 8l2.5 3 4.5-6"),
        _ => ("777777", ""),
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
         %3Ccircle cx='8' cy='8' r='8' fill='%23{colour}'/%3E\
         %3Cpath d='{inside}' fill='none' stroke='white' stroke-width='2'/%3E%3C/svg%3E"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_are_small_and_end_where_their_elements_end() {
        let bytes = STYLE.len() + SCRIPT.len();
        assert!(bytes < 20 * 1024, "{bytes}");
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</"));
    }

    #[test]
    fn a_page_loads_nothing() {
        let page = document("a title", "fail", &html! { p { "content" } }).into_string();
        for loading in [
            " src=",
            "href=\"http",
            "href=\"//",
            "url(",
            "@import",
            "rel=\"stylesheet\"",
        ] {
            assert!(!page.contains(loading), "{loading}");
        }
        assert!(!page.contains(" style=\"") && !page.contains(" onclick"));
    }
}
