"""What the old clinic answers, a module for each of its menus."""

from polyclinic.demo.legacy.answers import bills, charts, desk, house, results

routes = [*house.routes, *charts.routes, *results.routes, *desk.routes, *bills.routes]
