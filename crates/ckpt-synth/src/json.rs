//! JSON, as far as the engines' members need it.

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

/// A map from keys and values.
pub(crate) fn map<const N: usize>(pairs: [(&str, Json); N]) -> Json {
    Json::Map(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl Json {
    /// A map with `pairs` added.
    pub(crate) fn with<const N: usize>(self, pairs: [(&str, Json); N]) -> Self {
        match (self, map(pairs)) {
            (Self::Map(mut all), Self::Map(more)) => {
                all.extend(more);
                Self::Map(all)
            }
            (other, _) => other,
        }
    }

    /// On one line, without spaces.
    pub(crate) fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// Two spaces a level.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out
    }

    fn write(&self, out: &mut String, level: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => quote(text, out),
            Self::List(list) => {
                let items = list.iter().map(|value| (None, value));
                group(out, ['[', ']'], level, items.collect());
            }
            Self::Map(map) => {
                let items = map.iter().map(|(key, value)| (Some(key.as_str()), value));
                group(out, ['{', '}'], level, items.collect());
            }
        }
    }
}

fn group(
    out: &mut String,
    [open, close]: [char; 2],
    level: Option<usize>,
    items: Vec<(Option<&str>, &Json)>,
) {
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    };
    out.push(open);
    let empty = items.is_empty();
    for (index, (key, value)) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if let Some(level) = level {
            line(out, level + 1);
        }
        if let Some(key) = key {
            quote(key, out);
            out.push_str(if level.is_some() { ": " } else { ":" });
        }
        value.write(out, level.map(|level| level + 1));
    }
    if let Some(level) = level.filter(|_| !empty) {
        line(out, level);
    }
    out.push(close);
}

/// As Go's encoder: `<`, `>` and `&` are escaped too.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::{Json, map};

    #[test]
    fn both_forms() {
        let json = map([
            ("a", 1.into()),
            ("b", vec!["x<y", "\"\x01"].into()),
            ("c", Json::List(vec![])),
            ("d", Json::Null),
        ]);
        assert_eq!(json.compact(), r#"{"a":1,"b":["x\u003cy","\"\u0001"],"c":[],"d":null}"#);
        assert_eq!(
            json.pretty(),
            "{\n  \"a\": 1,\n  \"b\": [\n    \"x\\u003cy\",\n    \"\\\"\\u0001\"\n  ],\n  \"c\": [],\n  \"d\": null\n}"
        );
    }
}
