"""Brings billing to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation.service import Running
from polyclinic.foundation.typesetting import typesetter
from polyclinic.services.billing.actions.fhir import registered
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.gateways.cards import open_cards
from polyclinic.services.billing.gateways.charts import Charts


@asynccontextmanager
async def open_books(running: Running) -> AsyncGenerator[Books, None]:
    books: Books
    server = FhirServer.over(running, registered=registered(lambda: books))
    async with open_cards(running.settings) as cards, typesetter() as paper:
        books = Books(running, server, Charts(running.peers, running.tokens), cards, paper)
        await books.server.search.frequencies.load()
        yield books
