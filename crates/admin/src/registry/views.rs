//! Views that people saved: addresses of pages, narrowed as they like them, each by a name.

use store::control::Entry;

use super::{Registry, RegistryError, entry, missing};
use crate::kind::VIEW;
use crate::limits::VIEWS_EACH_MAX;

impl Registry {
    /// The views of somebody, by their names.
    pub async fn views(&self, person: &str) -> Vec<(String, String)> {
        let known = self.known.lock().await;
        let own = known.views.get(person).into_iter().flatten();
        own.map(|(name, address)| (name.clone(), address.clone())).collect()
    }

    /// Saves a view; one of that name is replaced.
    ///
    /// # Errors
    ///
    /// When there are too many, or it cannot be written.
    pub async fn save_view(&self, person: &str, name: &str, address: &str) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        let own = known.views.get(person);
        let is_new = own.is_none_or(|own| !own.contains_key(name));
        if is_new && own.is_some_and(|own| own.len() >= VIEWS_EACH_MAX) {
            return Err(RegistryError::TooManyViews);
        }
        self.put(&mut known, &[entry(VIEW, &id(person, name), &address)]).await
    }

    /// Removes a view.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it cannot be written.
    pub async fn remove_view(&self, person: &str, name: &str) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        if known.views.get(person).is_none_or(|own| !own.contains_key(name)) {
            return Err(missing(VIEW, name));
        }
        self.put(&mut known, &[Entry::gone(VIEW, &id(person, name))]).await
    }
}

/// Whose view it is, and its name; neither has a line break.
fn id(person: &str, name: &str) -> String {
    format!("{person}\n{name}")
}

#[cfg(test)]
mod tests {
    use store::control::Control;

    use super::*;

    #[tokio::test]
    async fn everybody_has_views_of_their_own_and_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let registry = Registry::open(Control::open_file(&path).await.unwrap(), [1; 32], Vec::new()).await.unwrap();
        for number in 0..VIEWS_EACH_MAX {
            registry.save_view("ann", &format!("v{number:02}"), "/cases").await.unwrap();
        }
        assert!(matches!(registry.save_view("ann", "more", "/cases").await, Err(RegistryError::TooManyViews)));
        registry.save_view("ann", "v00", "/cases?state=open").await.unwrap();
        registry.save_view("bob", "v00", "/").await.unwrap();
        registry.remove_view("ann", "v01").await.unwrap();
        assert!(registry.remove_view("bob", "v01").await.is_err());
        drop(registry);
        let registry = Registry::open(Control::open_file(&path).await.unwrap(), [1; 32], Vec::new()).await.unwrap();
        let own = registry.views("ann").await;
        assert_eq!((own.len(), &own[0]), (VIEWS_EACH_MAX - 1, &("v00".to_owned(), "/cases?state=open".to_owned())));
        assert_eq!(registry.views("bob").await, [("v00".to_owned(), "/".to_owned())]);
    }
}
