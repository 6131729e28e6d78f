//! The streams, tables and types there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_sql::ast::Ident;
use millstream_sql::{Diagnostic, SqlType};

use crate::{Result, Source};

/// Everything that statements can name. Cheap to clone: a statement is planned against the catalog as
/// it was when the statement came.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    sources: BTreeMap<String, Arc<Source>>,
    types: BTreeMap<String, SqlType>,
}

impl Catalog {
    /// The source of this name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.get(name)
    }

    /// The source that a statement names.
    ///
    /// # Errors
    /// A diagnostic with a suggestion.
    pub fn expect(&self, name: &Ident) -> Result<&Arc<Source>> {
        self.sources.get(&name.name).ok_or_else(|| {
            let names: Vec<String> = self.sources.keys().cloned().collect();
            let mut diagnostic = Diagnostic::new("E0201", format!("stream or table \"{}\" does not exist", name.name))
                .at(name.span, "not found")
                .suggest(&name.name, &names);
            if diagnostic.help.is_none() {
                diagnostic.help = Some("SHOW STREAMS and SHOW TABLES list what there is".to_owned());
            }
            Box::new(diagnostic)
        })
    }

    /// All sources by name.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.values()
    }

    /// Adds or replaces a source.
    pub fn insert(&mut self, source: Arc<Source>) {
        self.sources.insert(source.name.clone(), source);
    }

    /// Takes a source out.
    pub fn remove(&mut self, name: &str) -> Option<Arc<Source>> {
        self.sources.remove(name)
    }

    /// The type of this name.
    #[must_use]
    pub fn named_type(&self, name: &str) -> Option<&SqlType> {
        self.types.get(name)
    }

    /// All named types.
    pub fn named_types(&self) -> impl Iterator<Item = (&String, &SqlType)> {
        self.types.iter()
    }

    /// Names a type.
    pub fn insert_type(&mut self, name: String, ty: SqlType) {
        self.types.insert(name, ty);
    }

    /// Forgets a named type.
    pub fn remove_type(&mut self, name: &str) -> Option<SqlType> {
        self.types.remove(name)
    }
}
