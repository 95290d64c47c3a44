//! Scenarios from TOML. Whatever is wrong with a file is told with its line, as compilers do.

use super::check::{Fault, Step, near};
use super::model::Scenario;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a scenario file, and where.
///
/// ```text
/// error: no host is called `sever`; did you mean `server`?
///   --> outage.toml:9:6
///    |
///  9 | to = "sever"
///    |      ^^^^^^^
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub what: String,
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The line's text.
    text: String,
    /// How many characters of it are meant.
    width: usize,
}

impl Scenario {
    /// Reads a scenario from the text of a file; `file` is what errors call it.
    ///
    /// # Errors
    /// The text is no TOML, or no scenario, or a scenario that makes no sense.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Box<Mistake>> {
        let mistake = |span, what| Box::new(Mistake::new(file, text, span, what));
        let mut scenario: Self =
            toml::from_str(text).map_err(|error| Box::new(Mistake::of(file, text, &error)))?;
        scenario.give_names();
        scenario.check().map_err(|Fault { place, what }| mistake(locate(text, &place), what))?;
        Ok(scenario)
    }
}

impl Mistake {
    /// What a reader of TOML says is wrong with the text of a file.
    pub fn of(file: &str, text: &str, error: &toml::de::Error) -> Self {
        Self::new(file, text, error.span().unwrap_or_default(), explain(error.message()))
    }

    fn new(file: &str, text: &str, span: Range<usize>, what: String) -> Self {
        let start = span.start.min(text.len());
        let head = text.get(..start).unwrap_or_default();
        let line = head.matches('\n').count() + 1;
        let begin = head.rfind('\n').map_or(0, |at| at + 1);
        let shown = text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let end = span.end.clamp(start, begin + shown.len().max(start - begin));
        let count = |range: Range<usize>| text.get(range).unwrap_or_default().chars().count();
        Self {
            what,
            file: file.into(),
            line,
            column: count(begin..start) + 1,
            text: shown.into(),
            width: count(start..end).max(1),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, file, line, column, text, width } = self;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // What stands before the place, so that tabs stay tabs.
        let indent: String =
            text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "error: {what}")?;
        writeln!(f, "{margin}--> {file}:{line}:{column}")?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {text}")?;
        write!(f, "{margin} | {indent}{}", "^".repeat(*width))
    }
}

impl std::error::Error for Mistake {}

/// The deserialiser's words, with the name that was meant where one is near.
fn explain(message: &str) -> String {
    let message = message.trim_end();
    let unknown = ["unknown field ", "unknown variant "];
    if !unknown.iter().any(|start| message.starts_with(start)) {
        return message.replace('\n', "; ");
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(name) = quoted.next() else { return message.into() };
    let known: Vec<_> = quoted.collect();
    let kind = if message.starts_with(unknown[0]) { "key" } else { "value" };
    if let Some(nearest) = near(name, known.iter().copied()) {
        return format!("unknown {kind} `{name}`; did you mean `{nearest}`?");
    }
    let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("unknown {kind} `{name}`; there is {}", known.join(", "))
}

/// Where in `text` a place of the scenario is, or what is nearest to it: the value, where there is
/// one; what it would be a part of, where it is left to its default.
fn locate(text: &str, place: &[Step]) -> Range<usize> {
    let Ok(root) = DeTable::parse(text) else { return 0..0 };
    let mut best = 0..0;
    let Some((Step::Key(first), rest)) = place.split_first() else { return best };
    let Some((key, mut value)) = entry(root.get_ref(), first) else { return best };
    best = shorter(text, key.span(), value.span());
    for (i, step) in rest.iter().enumerate() {
        let last = i + 1 == rest.len();
        match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => {
                let Some((key, inner)) = entry(table, key) else { break };
                best = if last { shorter(text, key.span(), inner.span()) } else { key.span() };
                value = inner;
            }
            (Step::Index(index), DeValue::Array(array)) => {
                let Some(inner) = array.get(*index) else { break };
                best = inner.span();
                value = inner;
            }
            _ => break,
        }
    }
    best
}

/// A key's place where the value goes over several lines, else the value's.
fn shorter(text: &str, key: Range<usize>, value: Range<usize>) -> Range<usize> {
    let lines = text.get(value.clone()).is_none_or(|value| value.contains('\n'));
    if lines || value.is_empty() { key } else { value }
}

fn entry<'a, 'i>(
    table: &'a DeTable<'i>,
    key: &str,
) -> Option<(&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    table.iter().find(|(name, _)| name.get_ref() == key)
}
