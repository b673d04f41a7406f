//! Which files a model has.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::VaultError;
use crate::limits::{DEPTH_MAX, FILES_MAX};
use crate::name::Name;

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name within the model.
    pub name: Name,
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub bytes: u64,
}

/// What does not count as a part of a model, and what of links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Files and folders that are left out.
    pub left_out: Vec<Name>,
    /// Whether a link to a file counts as the file. Without it a link is refused: what it leads to may be changed elsewhere.
    pub allow_links: bool,
}

/// What is left out of every model that lies in a repository, as other programs leave it out.
#[must_use]
pub fn of_repositories() -> Vec<Name> {
    [".git", ".gitattributes", ".github", ".gitignore"].iter().filter_map(|name| Name::of(name)).collect()
}

/// The files of a model, which is a folder or one file, in the order of their names.
///
/// # Errors
///
/// When it cannot be read, or something in it is no file and no folder.
pub fn files(root: &Path, choice: &Choice) -> Result<Vec<ModelFile>, VaultError> {
    let mut found = Vec::new();
    let whole = Name::of(Name::WHOLE).into_iter();
    whole.map(|name| look(root, name, root, choice, 0, &mut found)).collect::<Result<Vec<()>, _>>()?;
    found.sort_by(|one: &ModelFile, other| one.name.cmp(&other.name));
    Ok(found)
}

fn look(
    root: &Path,
    name: Name,
    path: &Path,
    choice: &Choice,
    depth: usize,
    found: &mut Vec<ModelFile>,
) -> Result<(), VaultError> {
    let is_root = depth == 0;
    if !is_root && choice.left_out.iter().any(|folder| name.is_in(folder)) {
        return Ok(());
    }
    let itself = fs::symlink_metadata(path).map_err(VaultError::io(path))?;
    if itself.is_symlink() && !is_root && !choice.allow_links {
        return Err(VaultError::model(
            path,
            "it is a link, and what it leads to may change elsewhere; copy the file, or allow links",
        ));
    }
    let metadata = if itself.is_symlink() { fs::metadata(path).map_err(VaultError::io(path))? } else { itself.clone() };
    if metadata.is_file() {
        if found.len() >= FILES_MAX {
            return Err(VaultError::model(root, format!("expected a model of at most {FILES_MAX} files")));
        }
        found.push(ModelFile { name, path: path.to_owned(), bytes: metadata.len() });
        return Ok(());
    }
    if !metadata.is_dir() || (itself.is_symlink() && !is_root) {
        return Err(VaultError::model(path, "expected a file or a folder"));
    }
    if depth >= DEPTH_MAX {
        return Err(VaultError::model(path, format!("expected at most {DEPTH_MAX} folders within each other")));
    }
    for entry in fs::read_dir(path).map_err(VaultError::io(path))? {
        let path = entry.map_err(VaultError::io(path))?.path();
        let within = path.strip_prefix(root).unwrap_or(&path);
        let name =
            Name::of_path(within).ok_or_else(|| VaultError::model(&path, "its name is too long, or no UTF-8"))?;
        look(root, name, &path, choice, depth + 1, found)?;
    }
    Ok(())
}
