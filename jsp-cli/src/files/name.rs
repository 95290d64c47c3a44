//! Names of files below a shared folder, as peers write them.

use std::fmt;
use std::path::Path;

/// A relative name whose parts are joined by slashes. None of them is `.`, `..` or empty, and none has
/// a control character, so that a name can be shown. The folder itself is the empty name.
///
/// A name says nothing about links: [`super::Root`] does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(String);

/// Why a text is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    Absolute,
    Dots,
    Empty,
    Character,
    TooLong,
    Partial,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absolute => "a name may not begin with a slash",
            Self::Dots => "a name may not contain the parts . or ..",
            Self::Empty => "a part of the name is empty",
            Self::Character => "a name may not contain control characters or backslashes",
            Self::TooLong => "the name is too long",
            Self::Partial => "names of unfinished files are reserved",
        })
    }
}

impl Name {
    /// What file systems take for one part.
    const MAX_PART: usize = 255;

    /// The folder itself.
    pub(crate) fn root() -> Self {
        Self(String::new())
    }

    /// Checks a name. A slash at the end is allowed, as folders are written with one.
    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        if text.starts_with('/') {
            return Err(BadName::Absolute);
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.len() > crate::protocol::MAX_NAME {
            return Err(BadName::TooLong);
        }
        if text.is_empty() {
            return Ok(Self::root());
        }
        for part in text.split('/') {
            match part {
                "" => return Err(BadName::Empty),
                "." | ".." => return Err(BadName::Dots),
                _ if part.len() > Self::MAX_PART => return Err(BadName::TooLong),
                // A backslash parts names elsewhere; what is one name here would be two there.
                _ if part.contains(|c: char| c.is_control() || c == '\\') => {
                    return Err(BadName::Character);
                }
                _ if super::partial::is_partial(part) => return Err(BadName::Partial),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }

    /// The name of something in this folder.
    pub(crate) fn join(&self, part: &str) -> Result<Self, BadName> {
        if self.0.is_empty() {
            Self::parse(part)
        } else {
            Self::parse(&format!("{}/{part}", self.0))
        }
    }

    /// What comes after `folder`; `None` if this is not below it.
    pub(crate) fn below(&self, folder: &Self) -> Option<Self> {
        let rest = match &*folder.0 {
            "" => &*self.0,
            folder => self.0.strip_prefix(folder)?.strip_prefix('/')?,
        };
        (!rest.is_empty()).then(|| Self(rest.into()))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder that it is in, and its last part; `None` for the root.
    pub(crate) fn split(&self) -> Option<(Self, &str)> {
        match self.0.rsplit_once('/') {
            Some((folder, part)) => Some((Self(folder.into()), part)),
            None => (!self.is_root()).then(|| (Self::root(), self.as_str())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for (text, error) in [
            ("/etc/passwd", BadName::Absolute),
            ("..", BadName::Dots),
            ("a/../../b", BadName::Dots),
            ("./a", BadName::Dots),
            ("a//b", BadName::Empty),
            ("a\0b", BadName::Character),
            ("a\nb", BadName::Character),
            ("..\\a", BadName::Character),
            (".jsp-0123.part", BadName::Partial),
        ] {
            assert_eq!(Name::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Name::parse(&"x".repeat(256)), Err(BadName::TooLong));
        assert_eq!(Name::parse(&"x/".repeat(3000)), Err(BadName::TooLong));
    }

    #[test]
    fn names_are_taken_apart_and_put_together() {
        let name = Name::parse("a/b c/..d/").unwrap();
        assert_eq!(name.as_str(), "a/b c/..d");
        let (folder, part) = name.split().unwrap();
        assert_eq!((folder.as_str(), part), ("a/b c", "..d"));
        assert_eq!(folder.join(part), Ok(name.clone()));
        assert_eq!(name.below(&Name::parse("a").unwrap()).unwrap().as_str(), "b c/..d");
        assert_eq!(name.below(&Name::root()), Some(name.clone()));
        assert_eq!(Name::parse("ab/c").unwrap().below(&Name::parse("a").unwrap()), None);
        assert_eq!(Name::root().split(), None);
    }
}
