//! Names of the files of a model: paths within it, written the same on every system.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::limits::NAME_BYTES_MAX;

/// A path within a model, with `/` between its parts and nothing that leads out of it. Ordered part by part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Vec<String>);

impl Name {
    /// The name of a model that is one file.
    pub const WHOLE: &str = ".";

    /// Whether it is that of a model that is one file.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// What a file is called of which nobody says how.
    pub(crate) fn nameless() -> Name {
        Name(vec!["model".to_owned()])
    }

    /// Whether it is one file in no folder.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.len() == 1
    }

    /// The name that a text is, where it is one.
    #[must_use]
    pub fn of(text: &str) -> Option<Name> {
        if text == Name::WHOLE {
            return Some(Name(Vec::new()));
        }
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        (text.len() <= NAME_BYTES_MAX && parts.iter().all(|part| is_part(part))).then_some(Name(parts))
    }

    /// The name that a path within a model has; none where it leads out of it or is not UTF-8.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Name> {
        let part = |component: Component<'_>| match component {
            Component::Normal(part) => part.to_str().map(str::to_owned),
            _ => None,
        };
        let parts: Vec<String> =
            path.components().filter(|part| *part != Component::CurDir).map(part).collect::<Option<_>>()?;
        let bytes = parts.iter().map(|part| part.len() + 1).sum::<usize>();
        (bytes <= NAME_BYTES_MAX + 1).then_some(Name(parts))
    }

    /// Where it is in a model at `root`.
    #[must_use]
    pub fn within(&self, root: &Path) -> PathBuf {
        self.0.iter().fold(root.to_owned(), |path, part| path.join(part))
    }

    /// Whether it is this one or in it.
    #[must_use]
    pub fn is_in(&self, folder: &Name) -> bool {
        self.0.starts_with(&folder.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return out.write_str(Name::WHOLE);
        }
        out.write_str(&self.0.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_the_model() {
        for text in ["a", "a/b.safetensors", "a b", "ä/ö", "."] {
            assert_eq!(Name::of(text).unwrap().to_string(), text);
        }
        for text in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.", "a\0b"] {
            assert_eq!(Name::of(text), None, "{text:?}");
        }
        let long = |bytes: usize| Name::of(&"x".repeat(bytes));
        assert!(long(NAME_BYTES_MAX).is_some() && long(NAME_BYTES_MAX + 1).is_none());
        let long = |bytes: usize| Name::of_path(Path::new(&"x".repeat(bytes)));
        assert!(long(NAME_BYTES_MAX).is_some() && long(NAME_BYTES_MAX + 1).is_none());
        assert_eq!(Name::of_path(Path::new("./a/b")), Name::of("a/b"));
        assert!(Name::of_path(Path::new("../a")).is_none() && Name::of_path(Path::new("/a")).is_none());
    }

    #[test]
    fn names_are_ordered_part_by_part() {
        let mut names = ["a.b", "a/c", "a", "B"].map(|text| Name::of(text).unwrap());
        names.sort();
        assert_eq!(names.map(|name| name.to_string()), ["B", "a", "a/c", "a.b"]);
    }

    #[test]
    fn what_is_in_a_folder_is_so_by_whole_parts() {
        let of = |text: &str| Name::of(text).unwrap();
        assert!(of("a/b").is_in(&of("a")) && of("a").is_in(&of("a")));
        assert!(!of("ab").is_in(&of("a")) && !of("a").is_in(&of("a/b")));
    }
}
