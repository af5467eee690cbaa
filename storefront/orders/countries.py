"""The countries of the world, as a form offers them (ISO 3166-1)."""

import pycountry

NAMES = {country.alpha_2: getattr(country, "common_name", country.name) for country in pycountry.countries}
COUNTRIES = sorted(NAMES.items(), key=lambda pair: pair[1])
