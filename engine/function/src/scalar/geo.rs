//! Functions of places on the earth.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;

use super::kernel::{Outcome, at, failed, primitives, strings, text_at};
use super::{Param, Returns, ScalarFunction};
use Param::{Double, String as Text};

const EARTH_KILOMETERS: f64 = 6371.0;
const EARTH_MILES: f64 = 3959.0;

pub(super) fn all() -> Vec<ScalarFunction> {
    let double = Returns::Type(DataType::Float64);
    vec![
        ScalarFunction::new(
            "GEO_DISTANCE",
            "The great-circle distance of two places, given as latitude, longitude, latitude, longitude in degrees; \
             in kilometers, or in miles if the last argument is 'MI'.",
            ("ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122))", "8635"),
        )
        .example(("ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122, 'MI'))", "5366"))
        .overload(&[Double, Double, Double, Double], double.clone(), distances)
        .overload(&[Double, Double, Double, Double, Text], double, distances),
    ]
}

fn distances(args: &[ArrayRef]) -> Outcome {
    let columns = (0..4).map(|index| primitives::<Float64Type>(args, index)).collect::<Result<Vec<_>, _>>()?;
    let units = if args.len() > 4 { Some(strings(args, 4)?) } else { None };
    let rows = columns.first().map_or(0, |column| column.len());
    let distance = |row: usize| {
        let radius = radius(units.and_then(|units| text_at(units, row)))?;
        let angles: Option<Vec<f64>> = columns.iter().map(|column| at(column, row)).collect();
        let Some([lat1, lon1, lat2, lon2]) = angles.and_then(|angles| <[f64; 4]>::try_from(angles).ok()) else {
            return Ok(None);
        };
        if lat1.abs() > 90.0 || lat2.abs() > 90.0 || lon1.abs() > 180.0 || lon2.abs() > 180.0 {
            return Err(failed("a latitude must be within -90 and 90, a longitude within -180 and 180"));
        }
        Ok(Some(radius * angle([lat1, lon1, lat2, lon2].map(f64::to_radians))))
    };
    Ok(Arc::new((0..rows).map(distance).collect::<Result<Float64Array, ArrowError>>()?))
}

fn radius(unit: Option<&str>) -> Result<f64, ArrowError> {
    match unit.map(str::to_ascii_uppercase).as_deref() {
        None | Some("KM" | "KILOMETER" | "KILOMETERS") => Ok(EARTH_KILOMETERS),
        Some("MI" | "MILE" | "MILES") => Ok(EARTH_MILES),
        Some(other) => Err(failed(format!("\"{other}\" is no unit of distance: it is KM or MI"))),
    }
}

/// The angle between two places (the haversine formula).
fn angle([lat1, lon1, lat2, lon2]: [f64; 4]) -> f64 {
    let (lat, lon) = (((lat2 - lat1) / 2.0).sin(), ((lon2 - lon1) / 2.0).sin());
    let a = lat * lat + lon * lon * lat1.cos() * lat2.cos();
    2.0 * a.sqrt().atan2((1.0 - a).sqrt())
}
