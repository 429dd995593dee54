"""What does an SQL text in a contract mean: its columns, types, functions, and where each value comes from?"""
