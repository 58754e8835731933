"""Which of the generator's people come to Northside Clinic, under which name, and to whom."""

from dataclasses import dataclass

from polyclinic.demo import people

SEED = 2026
REFERENCE_DATE = "20261115"


@dataclass(frozen=True)
class Choice:
    """One patient: the run that makes the record, the record in it, and the clinic's own facts."""

    ages: str
    sex: str
    population: int
    record: str
    given: str
    family: str
    mrn: str
    team: tuple[str, ...]
    birth_date: str | None = None


RUIZ, WONG, MEYER, NAIR = (
    person.removeprefix("Practitioner/")
    for person in (people.ANA_RUIZ, people.LENA_WONG, people.SOFIE_MEYER, people.PRIYA_NAIR)
)

# Population is how many people the run makes until it comes to the chosen one.
CHOICES = (
    Choice(
        "57-58",
        "f",
        14,
        "Angele_Kuhic_417135d3",
        "Maria",
        "Keller",
        "20411877",
        (RUIZ, NAIR),
        birth_date="1968-03-14",
    ),
    Choice("25-36", "f", 8, "Arlette_Breitenberg_28c23f88", "Julia", "Ortiz", "20411902", (RUIZ,)),
    Choice("76-84", "m", 5, "Buck_Buckridge_325c7c44", "William", "Chen", "20398114", (RUIZ,)),
    Choice("20-28", "m", 4, "Margarito_Kozey_325c7c44", "Theo", "Adeyemi", "20520631", (RUIZ,)),
    Choice(
        "40-52", "m", 4, "Darnell_McKenzie_f4041d45", "Sami", "Haddad", "20477350", (RUIZ, NAIR)
    ),
    Choice("25-36", "f", 8, "Sirena_Stoltenberg_9f021529", "Hannah", "Nguyen", "20488216", (WONG,)),
    Choice("62-72", "f", 4, "Ermelinda_Beier_9f021529", "Carole", "Dubois", "20402290", (WONG,)),
    Choice("33-40", "m", 3, "Kim_Schinner_325c7c44", "Kevin", "Brown", "20463308", (WONG, NAIR)),
    Choice("76-84", "m", 5, "Abel_Koch_f4041d45", "Paul", "Evans", "20390075", (WONG,)),
    Choice("3-8", "f", 3, "Rita_Towne_325c7c44", "Rosa", "Lopez", "20533419", (MEYER,)),
    Choice("5-9", "m", 3, "Marlin_Daniel_9f021529", "Daniel", "Kim", "20529987", (MEYER,)),
    Choice("14-17", "f", 2, "María Luisa_Ramos_fc082b89", "Nina", "Patel", "20506142", (MEYER,)),
)
