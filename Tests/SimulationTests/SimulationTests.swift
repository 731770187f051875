import EventStore
import Simulation
import Testing
