//! JSON texts, written as they come.

use super::PlanNotes;
use crate::LogicalPlan;
use std::fmt::{Display, Write};

/// Writes a JSON text with an indentation of two spaces.
#[derive(Debug, Default)]
pub struct JsonWriter {
    text: String,
    depth: usize,
    /// A comma is due before the next member.
    comma: bool,
}

impl JsonWriter {
    /// An object, whose members `members` writes.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.nested('{', '}', members);
    }

    /// An array, whose elements `elements` writes, each after [`Self::element`].
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.nested('[', ']', elements);
    }

    fn nested(&mut self, open: char, close: char, content: impl FnOnce(&mut Self)) {
        self.text.push(open);
        self.depth += 1;
        self.comma = false;
        let empty = self.text.len();
        content(self);
        self.depth -= 1;
        if self.text.len() > empty {
            self.line();
        }
        self.text.push(close);
        self.comma = true;
    }

    fn line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }

    /// Begins an element of an array.
    pub fn element(&mut self) {
        if self.comma {
            self.text.push(',');
        }
        self.line();
        self.comma = true;
    }

    /// Begins a member of an object: its value comes next.
    pub fn key(&mut self, name: &str) {
        self.element();
        self.string(name);
        self.text.push_str(": ");
    }

    /// A member whose value is a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.string(value);
    }

    /// A member whose value is a number.
    pub fn number(&mut self, name: &str, value: impl Display) {
        self.key(name);
        let _ = write!(self.text, "{value}");
    }

    fn string(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                c if (c as u32) < 0x20 => {
                    let _ = write!(self.text, "\\u{:04x}", c as u32);
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

pub(super) fn plan(plan: &LogicalPlan, notes: &PlanNotes) -> String {
    let mut json = JsonWriter::default();
    json.object(|json| {
        json.key("plan");
        node(json, plan, notes);
    });
    json.finish()
}

fn node(json: &mut JsonWriter, plan: &LogicalPlan, notes: &PlanNotes) {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
        json.object(|json| {
            if let Some(note) = notes.of(plan) {
                let name = note.description.split(' ').next().unwrap_or_default();
                json.text("node", name);
                json.text("description", &note.description);
                json.number("estimated_rows", note.rows.round());
            }
            json.key("inputs");
            json.array(|json| {
                plan.for_each_input(&mut |input| {
                    json.element();
                    node(json, input, notes);
                });
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_members_separated() {
        let mut json = JsonWriter::default();
        json.object(|json| {
            json.text("a \"b\"", "c:\\d\n\u{1}");
            json.key("list");
            json.array(|json| {
                for _ in 0..2 {
                    json.element();
                    json.object(|json| json.number("n", 1));
                }
            });
            json.key("none");
            json.array(|_| {});
        });
        let expected = "{\n  \"a \\\"b\\\"\": \"c:\\\\d\\n\\u0001\",\n  \"list\": [\n    {\n      \"n\": 1\n    },\n    {\n      \"n\": 1\n    }\n  ],\n  \"none\": []\n}";
        assert_eq!(json.finish(), expected);
    }
}
