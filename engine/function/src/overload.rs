//! Which arguments a function takes, and what it makes of them.

use arrow::datatypes::{DataType, TimeUnit};

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// `BOOLEAN`.
    Boolean,
    /// `INT`.
    Int,
    /// `BIGINT`; an `INT` becomes one.
    BigInt,
    /// `DOUBLE`; any number becomes one.
    Double,
    /// `DECIMAL` of any precision and scale.
    Decimal,
    /// `STRING`.
    String,
    /// `BYTES`.
    Bytes,
    /// `DATE`.
    Date,
    /// `TIME`.
    Time,
    /// `TIMESTAMP`.
    Timestamp,
    /// `ARRAY` of anything.
    Array,
    /// `MAP` of anything.
    Map,
    /// `ARRAY` of numbers.
    Numbers,
    /// Anything; all arguments of this kind have one type.
    Any,
    /// Anything that has an order; as [`Param::Any`], but not all nulls and not `INT` beside `BIGINT`.
    Comparable,
    /// `ARRAY`; all arguments of this kind have one type.
    SameArray,
    /// `MAP`; all arguments of this kind have one type.
    SameMap,
    /// A unit of time, written as a word: `DAYS`.
    TimeUnit,
    /// A lambda of so many parameters; no value is one, so that planners resolve calls with lambdas themselves.
    Lambda(u8),
    /// Anything, whatever the other arguments are.
    Other,
}

impl Param {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Numbers => "ARRAY<number>",
            Self::Other => "U",
            Self::Any | Self::Comparable => "T",
            Self::SameArray => "ARRAY<T>",
            Self::SameMap => "MAP<STRING, T>",
            Self::TimeUnit => "UNIT",
            Self::Lambda(1) => "x => …",
            Self::Lambda(2) => "(x, y) => …",
            Self::Lambda(_) => "(x, y, z) => …",
        }
    }

    /// Whether all arguments of this kind have one type.
    fn unifies(self) -> bool {
        matches!(self, Self::Any | Self::Comparable | Self::SameArray | Self::SameMap)
    }

    /// What the argument must be cast to, and how far that is; `None` if it does not fit.
    fn accept(self, found: &DataType) -> Option<(DataType, u32)> {
        use DataType as T;
        let target = match self {
            Self::Lambda(_) => return None,
            Self::Boolean => T::Boolean,
            Self::Int => T::Int32,
            Self::BigInt => T::Int64,
            Self::Double => T::Float64,
            Self::String | Self::TimeUnit => T::Utf8,
            Self::Bytes => T::Binary,
            Self::Date => T::Date32,
            Self::Time => T::Time32(TimeUnit::Millisecond),
            Self::Timestamp => T::Timestamp(TimeUnit::Millisecond, None),
            Self::Decimal if matches!(found, T::Decimal128(..)) => found.clone(),
            Self::Array | Self::SameArray if matches!(found, T::List(_)) => found.clone(),
            Self::Map | Self::SameMap if matches!(found, T::Map(..)) => found.clone(),
            Self::Numbers if matches!(found, T::List(item) if item.data_type().is_numeric()) => found.clone(),
            Self::Any | Self::Comparable | Self::Other => found.clone(),
            Self::Decimal | Self::Array | Self::Map | Self::Numbers | Self::SameArray | Self::SameMap => {
                return (*found == T::Null).then_some((T::Null, 1));
            }
        };
        let distance = match (found, &target) {
            (found, target) if found == target => u32::from(self.unifies() || self == Self::Other) * 10,
            (T::Null, _) if self != Self::TimeUnit => 1,
            (T::Int32, T::Int64) => 1,
            (T::Int32 | T::Int64, T::Float64) => 3,
            (T::Decimal128(..), T::Float64) => 2,
            _ => return None,
        };
        Some((target, distance))
    }
}

/// How a result's type follows from the arguments' types.
#[derive(Debug, Clone)]
pub enum Returns {
    /// It is always this.
    Type(DataType),
    /// It is the argument's at this place.
    Same(usize),
    /// It is computed from the arguments' types after their casts.
    Computed(fn(&[DataType]) -> DataType),
}

/// One signature of a function.
#[derive(Debug, Clone)]
pub struct Overload {
    /// The arguments.
    pub params: &'static [Param],
    /// Whether the last argument may be repeated.
    pub variadic: bool,
    /// The arguments behind them, which must be literals.
    pub literals: &'static [Param],
    /// The result.
    pub returns: Returns,
}

/// An overload chosen for some arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Coercion {
    /// The overload's place in its function.
    pub overload: usize,
    /// What the arguments must be cast to.
    pub args: Vec<DataType>,
    /// What the result is.
    pub returns: DataType,
}

impl Overload {
    /// The signature as a user reads it.
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        let params = self.params.iter().map(|param| param.name());
        let more = self.variadic.then_some("…");
        let literals = self.literals.iter().map(|param| param.name());
        format!("{name}({})", params.chain(more).chain(literals).collect::<Vec<_>>().join(", "))
    }

    fn accept(&self, found: &[DataType]) -> Option<(Vec<DataType>, u32)> {
        let (found, literals) = found.split_at_checked(found.len().checked_sub(self.literals.len())?)?;
        let is_literal = |(param, found): (&Param, &DataType)| param.accept(found) == Some((found.clone(), 0));
        if !self.literals.iter().zip(literals).all(is_literal) {
            return None;
        }
        let fits = if self.variadic { found.len() >= self.params.len() } else { found.len() == self.params.len() };
        if !fits {
            return None;
        }
        let params = self.params.iter().chain(self.params.last().into_iter().cycle());
        let (mut args, mut distance) = (Vec::new(), u32::from(self.variadic));
        for (found, param) in found.iter().zip(params.clone()) {
            let (target, cost) = param.accept(found)?;
            args.push(target);
            distance += cost;
        }
        unify(&mut args, params.copied())?;
        args.extend_from_slice(literals);
        Some((args, distance))
    }

    fn result(&self, args: &[DataType]) -> DataType {
        match &self.returns {
            Returns::Type(ty) => ty.clone(),
            Returns::Same(index) => args.get(*index).cloned().unwrap_or(DataType::Null),
            Returns::Computed(compute) => compute(args.get(..args.len() - self.literals.len()).unwrap_or(args)),
        }
    }
}

/// Gives all arguments of one unifying kind one type. No signature has two of these kinds.
fn unify(args: &mut [DataType], params: impl Iterator<Item = Param>) -> Option<()> {
    let params: Vec<Param> = params.take(args.len()).collect();
    let found = || args.iter().zip(&params).filter(|(_, param)| param.unifies()).map(|(ty, _)| ty);
    let mut common = DataType::Null;
    for ty in found() {
        common = common_type(&common, ty)?;
    }
    if params.contains(&Param::Comparable) {
        // As in ksqlDB: whether such a BIGINT is meant to be one or a DOUBLE, nobody can tell.
        let is_ambiguous = common == DataType::Int64 && found().any(|ty| *ty == DataType::Int32);
        if common == DataType::Null || is_ambiguous {
            return None;
        }
    }
    for (ty, param) in args.iter_mut().zip(&params) {
        if param.unifies() {
            *ty = common.clone();
        }
    }
    Some(())
}

/// The type that values of both types can become without loss of kind.
#[must_use]
pub(crate) fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (T::Null, other) | (other, T::Null) => other.clone(),
        (T::List(a), T::List(b)) => {
            let item = common_type(a.data_type(), b.data_type())?;
            T::List(std::sync::Arc::new(arrow::datatypes::Field::new("item", item, true)))
        }
        (T::Map(..), T::Map(..)) => map_of(common_type(&map_value(a), &map_value(b))?),
        (T::Float64, T::Int32 | T::Int64 | T::Decimal128(..))
        | (T::Int32 | T::Int64 | T::Decimal128(..), T::Float64) => T::Float64,
        (T::Int32, T::Int64) | (T::Int64, T::Int32) => T::Int64,
        (T::Decimal128(p1, s1), T::Decimal128(p2, s2)) => wider(*p1, *s1, *p2, *s2),
        (T::Decimal128(p, s), T::Int32) | (T::Int32, T::Decimal128(p, s)) => wider(*p, *s, 10, 0),
        (T::Decimal128(p, s), T::Int64) | (T::Int64, T::Decimal128(p, s)) => wider(*p, *s, 19, 0),
        _ => return None,
    })
}

/// The type of maps with such values.
pub(crate) fn map_of(value: DataType) -> DataType {
    use arrow::datatypes::Field;
    let entries = vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)];
    DataType::Map(std::sync::Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
}

/// The type of a map's values.
pub(crate) fn map_value(map: &DataType) -> DataType {
    let DataType::Map(entries, _) = map else { return DataType::Null };
    let DataType::Struct(fields) = entries.data_type() else { return DataType::Null };
    fields.get(1).map_or(DataType::Null, |field| field.data_type().clone())
}

fn wider(p1: u8, s1: i8, p2: u8, s2: i8) -> DataType {
    let scale = s1.max(s2);
    let whole = (p1 as i8 - s1).max(p2 as i8 - s2);
    DataType::Decimal128((whole + scale).clamp(1, 38) as u8, scale)
}

/// The overload that fits the arguments best.
pub(crate) fn choose(overloads: &[Overload], found: &[DataType]) -> Option<Coercion> {
    let fitting = overloads.iter().enumerate().filter_map(|(index, overload)| {
        let (args, distance) = overload.accept(found)?;
        let returns = overload.result(&args);
        Some((distance, Coercion { overload: index, args, returns }))
    });
    fitting.min_by_key(|(distance, _)| *distance).map(|(_, coercion)| coercion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_overload_wins() {
        let overload = |params| Overload { params, variadic: false, literals: &[], returns: Returns::Same(0) };
        let overloads = [overload(&[Param::Int]), overload(&[Param::BigInt]), overload(&[Param::Double])];
        for (found, place) in [(DataType::Int32, 0), (DataType::Int64, 1), (DataType::Decimal128(4, 2), 2)] {
            assert_eq!(choose(&overloads, &[found]).unwrap().overload, place);
        }
        assert!(choose(&overloads, &[DataType::Utf8]).is_none());
    }

    #[test]
    fn repeated_arguments_get_one_type() {
        let overloads = [Overload { params: &[Param::Any], variadic: true, literals: &[], returns: Returns::Same(0) }];
        let coercion = choose(&overloads, &[DataType::Int32, DataType::Null, DataType::Float64]).unwrap();
        assert_eq!(coercion.args, vec![DataType::Float64; 3]);
        assert!(choose(&overloads, &[DataType::Int32, DataType::Utf8]).is_none());
    }

    #[test]
    fn literals_stand_behind_the_other_arguments() {
        let overload =
            |params, variadic| Overload { params, variadic, literals: &[Param::Int], returns: Returns::Same(0) };
        let overloads = [overload(&[Param::Any], false), overload(&[Param::Any, Param::Other], true)];
        assert_eq!(choose(&overloads, &[DataType::Utf8, DataType::Int32]).unwrap().overload, 0);
        let several = [DataType::Utf8, DataType::Int64, DataType::Boolean, DataType::Int32];
        assert_eq!(choose(&overloads, &several).unwrap().args, several);
        assert!(choose(&overloads, &[DataType::Utf8]).is_none());
        assert_eq!(overloads[1].describe("TOPK"), "TOPK(T, U, …, INT)");
    }
}
