//! All functions by name.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::ScalarUDF;

use crate::aggregate::{self, AggregateFunction};
use crate::documentation::{Documentation, Kind};
use crate::scalar::{self, ScalarFunction, Udf};
use crate::table::{self, TableFunction};

/// The functions of the dialect.
#[derive(Debug)]
pub struct Registry {
    scalars: BTreeMap<&'static str, (Arc<ScalarFunction>, Arc<ScalarUDF>)>,
    aggregates: BTreeMap<&'static str, AggregateFunction>,
    tables: BTreeMap<&'static str, TableFunction>,
}

/// The one registry.
#[must_use]
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        let with_udf = |function| {
            let function: Arc<ScalarFunction> = Arc::new(function);
            let udf = Arc::new(Udf::of(&function, None));
            (function.name, (function, udf))
        };
        Registry {
            scalars: scalar::all().into_iter().map(with_udf).collect(),
            aggregates: aggregate::all().into_iter().map(|function| (function.name, function)).collect(),
            tables: table::all().into_iter().map(|function| (function.name, function)).collect(),
        }
    });
    &REGISTRY
}

/// Functions whose arguments batch SQL computes only where they count.
const LAZY: [&str; 2] = ["COALESCE", "NULLIF"];

/// Other names of functions.
const ALIASES: &[(&str, &str)] =
    &[("UPPER", "UCASE"), ("LOWER", "LCASE"), ("LENGTH", "LEN"), ("SUBSTR", "SUBSTRING"), ("CEILING", "CEIL")];

impl Registry {
    fn real_name(name: &str) -> &str {
        ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
    }

    /// The scalar function of this upper-case name, and its UDF.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<&(Arc<ScalarFunction>, Arc<ScalarUDF>)> {
        self.scalars.get(Self::real_name(name))
    }

    /// The aggregate function of this upper-case name.
    #[must_use]
    pub fn aggregate(&self, name: &str) -> Option<&AggregateFunction> {
        self.aggregates.get(name)
    }

    /// The table function of this upper-case name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableFunction> {
        self.tables.get(name)
    }

    /// All scalar functions by name.
    pub fn scalars(&self) -> impl Iterator<Item = &(Arc<ScalarFunction>, Arc<ScalarUDF>)> {
        self.scalars.values()
    }

    /// The scalar functions for batch SQL, given its own functions by their names in lower case. Those take over
    /// where a function of the dialect does not take the arguments, and where laziness counts.
    pub fn batch_scalars(&self, own: impl Fn(&str) -> Option<Arc<ScalarUDF>>) -> impl Iterator<Item = ScalarUDF> {
        let eager = self.scalars.values().filter(|(function, _)| !LAZY.contains(&function.name));
        eager.map(move |(function, _)| Udf::of(function, own(&function.name.to_ascii_lowercase())))
    }

    /// All aggregate functions by name.
    pub fn aggregates(&self) -> impl Iterator<Item = &AggregateFunction> {
        self.aggregates.values()
    }

    /// The names of all functions.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.documentation().iter().map(|function| function.name.to_owned()).collect()
    }

    /// The documentation of all functions, by name.
    #[must_use]
    pub fn documentation(&self) -> Vec<Documentation<'_>> {
        let scalars = self.scalars.values().map(|(function, _)| Documentation {
            name: function.name,
            kind: Kind::Scalar,
            category: function.category,
            description: function.description,
            overloads: &function.overloads,
            examples: &function.examples,
        });
        let aggregates = self.aggregates.values().map(|function| Documentation {
            name: function.name,
            kind: Kind::Aggregate,
            category: "Aggregates",
            description: function.description,
            overloads: &function.overloads,
            examples: &function.examples,
        });
        let tables = self.tables.values().map(|function| Documentation {
            name: function.name,
            kind: Kind::Table,
            category: "Table functions",
            description: function.description,
            overloads: &function.overloads,
            examples: &function.examples,
        });
        let mut all: Vec<_> = scalars.chain(aggregates).chain(tables).collect();
        all.sort_by_key(|function| function.name);
        all
    }

    /// The documentation of the function of this upper-case name.
    #[must_use]
    pub fn describe(&self, name: &str) -> Option<Documentation<'_>> {
        let name = Self::real_name(name);
        self.documentation().into_iter().find(|function| function.name == name)
    }
}
