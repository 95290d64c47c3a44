//! Files that are written. They exist before a run begins: who cannot write there learns it at once.

use super::failure::Failure;
use jsp_sim::look::picture::Picture;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path)
            .map_err(|error| Failure::io(format!("cannot write {}", path.display()), &error))?;
        Ok(Self { path: path.into(), file: BufWriter::with_capacity(1 << 16, file) })
    }

    /// Takes the file apart, for those who want a writer, and its path, for [`failed`].
    pub(super) fn into_parts(self) -> (PathBuf, BufWriter<File>) {
        (self.path, self.file)
    }

    /// Writes all of it at once.
    pub(super) fn write(
        mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let done = write(&mut self.file).and_then(|()| self.file.flush());
        done.map_err(failed(&self.path))
    }
}

/// What a failure to write the file is called.
pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    move |error| Failure::io(format!("cannot write {}", path.display()), &error)
}

/// A picture's file; its name says which format.
#[derive(Clone, Debug)]
pub(super) struct PictureFile {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Svg,
    Png,
}

impl PictureFile {
    /// Parses a file's name.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let path = PathBuf::from(name);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let format = match ending.as_deref() {
            Some("svg") => Format::Svg,
            Some("png") => Format::Png,
            _ => return Err("a picture's name ends in .svg or .png".into()),
        };
        Ok(Self { path, format })
    }

    pub(super) fn create(&self) -> Result<Output, Failure> {
        Output::create(&self.path)
    }

    /// Writes the picture into what [`PictureFile::create`] made.
    pub(super) fn write(&self, output: Output, picture: &Picture) -> Result<(), Failure> {
        output.write(|file| match self.format {
            Format::Svg => file.write_all(picture.svg().as_bytes()),
            Format::Png => file.write_all(&picture.png()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pictures_name_says_its_format() {
        assert!(matches!(PictureFile::parse("a.svg").unwrap().format, Format::Svg));
        assert!(matches!(PictureFile::parse("b/a.PNG").unwrap().format, Format::Png));
        assert!(PictureFile::parse("a.gif").is_err());
        assert!(PictureFile::parse("svg").is_err());
    }
}
