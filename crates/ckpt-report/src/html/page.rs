//! The page out of its parts.

use std::io::{self, Write};

use data_encoding::BASE64;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

use super::Page;

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// The templates by name. Everything that they print is escaped for HTML, but for [`STYLE`] and [`SCRIPT`].
const TEMPLATES: [(&str, &str); 13] = [
    ("report.html", include_str!("../../templates/report.html")),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("drawing.svg", include_str!("../../templates/drawing.svg")),
    ("summary.html", include_str!("../../templates/summary.html")),
    ("findings.html", include_str!("../../templates/findings.html")),
    ("processes.html", include_str!("../../templates/processes.html")),
    ("sockets.html", include_str!("../../templates/sockets.html")),
    ("memory.html", include_str!("../../templates/memory.html")),
    ("changes.html", include_str!("../../templates/changes.html")),
    ("timeline.html", include_str!("../../templates/timeline.html")),
    ("artifacts.html", include_str!("../../templates/artifacts.html")),
    ("verdict.html", include_str!("../../templates/verdict.html")),
    ("made.html", include_str!("../../templates/made.html")),
];

/// Writes the page.
pub(super) fn write<W: Write>(out: &mut W, page: Page) -> io::Result<()> {
    let environment = environment().map_err(io::Error::other)?;
    let template = environment.get_template("report.html").map_err(io::Error::other)?;
    let context = context! {
        page => Serde(&page),
        style => STYLE,
        script => SCRIPT,
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
    };
    drop(page);
    let written = template.render_captured_to(context, &mut *out);
    written.map(drop).map_err(cause)
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    environment.add_filter("grouped", super::summary::grouped);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// `sha256-…`, as a `Content-Security-Policy` names what it allows.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text.as_bytes())))
}

/// The error of the writer itself, so that a reader that went away is told from a broken template.
fn cause(error: minijinja::Error) -> io::Error {
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io::Error::new(inner.kind(), inner.to_string());
        }
        source = inner.source();
    }
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_templates() {
        environment().expect("templates");
    }

    #[test]
    fn style_and_script_end_where_they_should() {
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("</") && !text.contains("<!--"));
            assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("url("));
            // The hash is over the very bytes between the tags, which HTML would make newlines of.
            assert!(!text.contains('\r') && !text.starts_with('\n'));
        }
    }
}
